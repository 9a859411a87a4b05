"""What HBase tells of changes: nothing is missed, whoever is killed, and what is left is swept up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.servers import place
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.history import VM, event, number

pytest.importorskip("happybase")
from timeline.drivers.hbase import changes, gateway
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.schema import CHANGES, META, WRITERS
from timeline.drivers.hbase.url import HbaseUrl
from timeline.errors import StoreUnavailable


@pytest.fixture
def url() -> Iterator[str]:
    with place("hbase") as url:
        yield url


@pytest.fixture
def driver(url: str) -> Iterator[Driver]:
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        yield driver


def rows(url: str, first: bytes) -> list[bytes]:
    """The rows of the table of the rest that begin so."""
    with closing(Connections(HbaseUrl(url))) as connections:
        page, _ = connections.ask(lambda asked: asked.page(META, first, first + b"\xff" * 9, 10_000, whole=True))
        return [row for row, _ in page]


def killed_in_an_append(url: str) -> None:
    """A process that is gone when it has stored its events, and not yet noted the change."""
    child = os.fork()
    if not child:
        real = gateway.Gateway.count

        def count(self: gateway.Gateway, table: str, row: bytes, column: bytes) -> int:
            if column == changes.CHANGED:
                os._exit(0)
            return real(self, table, row, column)

        gateway.Gateway.count = count  # type: ignore[method-assign]
        drivers.open(url).append([event(1, of=number(7))])
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_a_killed_writer_was_adding_to_is_named_from_then_on(driver: Driver, url: str) -> None:
    before = driver.version()
    killed_in_an_append(url)
    assert list(driver.events([number(7)])) == [event(1, of=number(7))]
    for at in (2, 3):
        token = driver.version()
        assert token not in (before, driver.version())
        assert number(7) in (driver.changed(before) or ())
        assert set(driver.changed(token) or ()) == {number(7)}
        driver.append([event(at)])
        assert set(driver.changed(token) or ()) == {number(7), VM}


def test_a_writer_that_is_gone_for_long_is_swept_up_by_another(
    driver: Driver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = driver.version()
    killed_in_an_append(url)
    monkeypatch.setattr(changes, "_SWEPT", 1)
    driver.append([event(1)])
    assert len(rows(url, WRITERS)) == 2, "it was seen for the first time"
    monkeypatch.setattr(changes, "_LEFT_SECONDS", 0.0)
    driver.append([event(2)])
    assert len(rows(url, WRITERS)) == 1
    token = driver.version()
    assert token == driver.version()
    assert set(driver.changed(before) or ()) == {number(7), VM}
    assert set(driver.changed(token) or ()) == set()


def test_idle_writers_are_swept_up_and_come_back(driver: Driver, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_SWEPT", 1)
    with closing(drivers.open(url)) as other:
        for at in range(4):
            token = driver.version()
            (driver, other)[at % 2].append([event(at)])
            assert len(rows(url, WRITERS)) == 1
            assert set(driver.changed(token) or ()) == {VM}
            assert driver.version() == driver.version()


def test_old_changes_are_taken_away_and_no_longer_answered_from(
    driver: Driver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "KEPT", 5)
    monkeypatch.setattr(changes, "_SWEPT", 3)
    tokens = [driver.version()]
    for at in range(30):
        driver.append([event(at, of=number(at))])
        tokens.append(driver.version())
    for back, token in enumerate(reversed(tokens)):
        changed = driver.changed(token)
        if back < 5:
            assert changed is not None
            assert set(changed) == {number(n) for n in range(30 - back, 30)}
        else:
            assert changed is None
    assert len(rows(url, CHANGES)) <= 2 * 5 + 3 + 1


def test_an_append_that_failed_is_named_with_the_next(
    driver: Driver, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = driver.version()
    put = gateway.Gateway.put

    def cut_off(self: gateway.Gateway, table: str, rows: object, at: int) -> None:
        put(self, table, rows, at)  # type: ignore[arg-type]
        if table == "events":
            raise TimeoutError("the answer did not come")

    monkeypatch.setattr(gateway.Gateway, "put", cut_off)
    with pytest.raises(StoreUnavailable, match="do it again"):
        driver.append([event(1, of=number(3))])
    monkeypatch.setattr(gateway.Gateway, "put", put)
    assert set(driver.changed(token) or ()) == {number(3)}
    driver.append([event(1)])
    assert set(driver.changed(token) or ()) == {number(3), VM}
    assert set(driver.changed(driver.version()) or ()) == {number(3)}, "the gateway may still be at it"


def test_an_append_whose_connection_broke_is_done_again_as_the_same(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = gateway.Gateway.put
    broken: list[int] = []

    def breaks_once(self: gateway.Gateway, table: str, rows: object, at: int) -> None:
        put(self, table, rows, at)  # type: ignore[arg-type]
        if table == "events":
            broken.append(at)
            if len(broken) == 1:
                raise ConnectionResetError("the connection broke")

    monkeypatch.setattr(gateway.Gateway, "put", breaks_once)
    first = event(1, recorded_at=9, message_id="first")
    driver.append([first])
    assert len(broken) == 2
    assert len(set(broken)) == 1, "with another number it might take precedence over what came between"
    driver.append([event(1, recorded_at=3, message_id="again")])
    assert list(driver.events([VM])) == [first]
    assert driver.version() == driver.version()
