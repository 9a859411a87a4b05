"""HBase down, gone, hung or foreign: one sentence each, bounded waits, and work goes on when it is back."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Thread
from time import monotonic

import msgspec
import pytest

from tests.servers import Server, own, place
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.quarantine import record
from timeline.errors import (
    StoreError,
    StoreForeign,
    StoreNotFound,
    StoreOutdated,
    StoreTooNew,
    StoreUnavailable,
    StoreUrlError,
)
from timeline.model import Outcome, Scope

happybase = pytest.importorskip("happybase")

PATIENCE = 120.0
"""Seconds until HBase has to be well again after it was started."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own("hbase") as server:
        yield server


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """The URL of a store of the test's own, on the server that may be killed."""
    server.start()
    return f"{server.url}_{request.node.name[5:60]}"


@pytest.fixture
def driver(url: str) -> Iterator[Driver]:
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        yield driver


@contextmanager
def stopped(server: Server, part: str) -> Iterator[None]:
    """A process of the server that stands still."""
    process = server.processes[part]
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


def answered(call: Callable[[], object]) -> object:
    """The answer, as soon as the store is there again."""
    until = monotonic() + PATIENCE
    while True:
        try:
            return call()
        except StoreUnavailable:
            assert monotonic() < until


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def test_a_gateway_that_does_not_run_is_named_with_its_address() -> None:
    url = f"hbase://127.0.0.1:{free_port()}/store"
    with closing(drivers.open(url)) as driver:
        for call in (driver.prepare, driver.version, lambda: driver.append([event(1)])):
            with pytest.raises(StoreUnavailable, match=f"^{url}: the Thrift gateway cannot be reached .*hbase thrift"):
                call()


def test_a_host_that_does_not_answer_is_not_waited_for_without_end() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as listening:
        address = listening.getsockname()
        waiting = [socket.socket() for _ in range(4)]  # nobody accepts them: the queue is full, and the next one hangs
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        url = f"hbase://127.0.0.1:{address[1]}/store?timeout=0.3"
        with closing(drivers.open(url)) as driver, pytest.raises(StoreUnavailable, match="cannot be reached"):
            driver.version()
        for one in waiting:
            one.close()


def test_a_host_without_a_name_is_told() -> None:
    url = "hbase://no-such-host.invalid/store"
    with closing(drivers.open(url)) as driver, pytest.raises(StoreUnavailable, match=f"^{url}: .* cannot be reached"):
        driver.version()


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 64, b""], ids=["web", "noise", "silence"]
)
def test_what_is_no_gateway_is_no_store(words: bytes) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def speak() -> None:
            for _ in range(2):
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with closing(connection):
                    connection.recv(64)
                    connection.sendall(words)

        speaking = Thread(target=speak, daemon=True)
        speaking.start()
        port = listening.getsockname()[1]
        url = f"hbase://127.0.0.1:{port}/store?timeout=5"
        said = "does not speak as a Thrift gateway" if words else "went away in the midst"
        with closing(drivers.open(url)) as driver, pytest.raises(StoreUnavailable, match=said):
            driver.version()
        listening.shutdown(socket.SHUT_RDWR)
        speaking.join()


def test_a_gateway_that_is_gone_is_told_and_work_goes_on_when_it_is_back(server: Server, driver: Driver) -> None:
    driver.append([event(1)])
    server.kill("gateway")
    with pytest.raises(StoreUnavailable):
        driver.append([event(2)])
    with pytest.raises(StoreUnavailable):
        list(driver.events([VM]))
    server.start()
    answered(driver.version)
    assert list(driver.events([VM])) == [event(1)]
    driver.append([event(2)])
    assert list(driver.events([VM])) == [event(1), event(2)]


def test_a_gateway_that_was_restarted_meanwhile_is_not_noticed(server: Server, driver: Driver, url: str) -> None:
    driver.append([event(1)])
    with closing(drivers.open(url)) as other:
        answer = other.events(Scope())
        assert next(answer) == event(1)
        server.kill("gateway")
        server.start()
        with closing(drivers.open(url)) as third:
            answered(third.version)
        assert list(driver.events([VM])) == [event(1)]
        driver.append([event(2)])
        assert driver.append([event(1, message_id="again")]).events is None
        assert list(answer) == []
        assert list(other.events([VM])) == [event(1), event(2)]


def test_a_gateway_without_hbase_behind_it_is_waited_for_as_long_as_is_said(
    server: Server, driver: Driver, url: str
) -> None:
    driver.append([event(1)])
    with closing(drivers.open(f"{url}?timeout=2")) as hasty:
        assert list(hasty.events([VM])) == [event(1)]
        server.kill("master")
        for call in (lambda: list(hasty.events([VM])), lambda: hasty.append([event(2)]), hasty.version):
            with pytest.raises(StoreUnavailable, match=r"no answer within 2 s|does not answer"):
                call()
        server.start()
        answered(hasty.version)
        hasty.append([event(2)])
        assert list(hasty.events([VM])) == [event(1), event(2)]


def test_an_answer_that_comes_too_late_is_never_taken_for_that_of_the_next_question(
    server: Server, driver: Driver, url: str
) -> None:
    everybody = [number(n) for n in range(6)]
    driver.append([event(n, n, of=one) for n, one in enumerate(everybody)])
    with closing(drivers.open(f"{url}?timeout=0.5")) as hasty:
        answered(hasty.version)
        for one, another in zip(everybody[:3], everybody[3:], strict=True):
            with stopped(server, "gateway"), pytest.raises(StoreUnavailable, match=r"no answer within 0\.5 s"):
                list(hasty.events([one]))
            found = answered(lambda another=another: list(hasty.events([another])))  # type: ignore[misc]
            assert found == list(driver.events([another]))


def test_what_was_sent_to_a_gateway_that_hung_is_stored_or_not_and_can_be_sent_again(
    server: Server, driver: Driver, url: str
) -> None:
    history = [event(at, of=number(at % 3)) for at in range(30)]
    with closing(drivers.open(f"{url}?timeout=0.5")) as hasty:
        answered(hasty.version)
        token = driver.version()
        with stopped(server, "gateway"), pytest.raises(StoreUnavailable):
            hasty.append(history)
        answered(lambda: hasty.append(history))
    assert sorted(driver.events(Scope()), key=lambda one: one.occurred_at) == history
    assert set(driver.changed(token) or ()) == {number(n) for n in range(3)}


def test_a_store_that_was_never_made_is_not_found_and_says_how_to_make_it() -> None:
    with (
        place("hbase") as url,
        closing(drivers.open(url)) as driver,
        pytest.raises(StoreNotFound, match=f"timeline init --store {url}"),
    ):
        driver.version()


@pytest.mark.parametrize(
    ("revision", "error"),
    [("9999", StoreTooNew), ("0000", StoreOutdated), ("what", StoreForeign), ("", StoreForeign)],
)
def test_a_store_with_another_schema_is_refused(revision: str, error: type[StoreError]) -> None:
    with place("hbase") as url, closing(drivers.open(url)) as driver:
        driver.prepare()
        with tables(url) as connection:
            connection.table("meta").put(b"s", {b"d:r": revision.encode()})
        with closing(drivers.open(url)) as fresh:
            for call in (fresh.version, fresh.prepare, lambda: fresh.append([event(1)])):
                with pytest.raises(error):
                    call()


def test_a_store_from_before_records_had_notes_is_brought_up_to_date() -> None:
    with place("hbase") as url, closing(drivers.open(url)) as driver:
        driver.prepare()
        driver.put([record("aa", place=None), record("bb", 1, place=None)])
        driver.settle("bb", Outcome.STORED, 2)
        listed = driver.list(settled=True)
        with tables(url) as connection:
            meta = connection.table("meta")
            meta.put(b"s", {b"d:r": b"0001"})
            for row, cells in meta.scan(row_prefix=b"a"):
                *before, place_of, note = msgspec.msgpack.decode(cells[b"d:r"][1:])
                assert (place_of, note) == (None, None)
                meta.put(row, {b"d:r": cells[b"d:r"][:1] + msgspec.msgpack.encode(before)})
        with closing(drivers.open(url)) as fresh:
            with pytest.raises(StoreOutdated, match="schema 0001, older than 0002"):
                fresh.list()
            fresh.prepare()
            assert fresh.list(settled=True) == listed
            fresh.settle("aa", Outcome.DROPPED, 3, "noise")
            fresh.put([record("bb", 4, place="timestamp")])
            assert [one.note for one in fresh.find("aa")] == ["noise"]
            assert fresh.list() == [record("bb", 1, place="timestamp")]
            assert list(fresh.check()) == []


@pytest.mark.parametrize("name", ["events", "meta"])
def test_a_table_of_our_name_with_other_families_is_foreign(name: str) -> None:
    with place("hbase") as url, tables(url) as connection, closing(drivers.open(url)) as driver:
        connection.create_table(name, {"other": {}})
        with pytest.raises(StoreForeign, match=rf"_{name} has the column families other:"):
            driver.prepare()
        with pytest.raises(StoreError):
            driver.append([event(1)])


def test_empty_tables_that_were_made_with_regions_of_their_own_become_a_store() -> None:
    with place("hbase") as url, tables(url) as connection, closing(drivers.open(url)) as driver:
        connection.create_table("events", {"d": {"max_versions": 1, "compression": "GZ"}})
        with pytest.raises(StoreNotFound):
            driver.version()
        driver.prepare()
        driver.append([event(1)])
        assert list(driver.events([VM])) == [event(1)]


def test_a_table_that_keeps_several_versions_is_refused() -> None:
    with place("hbase") as url, tables(url) as connection, closing(drivers.open(url)) as driver:
        connection.create_table("events", {"d": {"max_versions": 3}})
        with pytest.raises(StoreForeign, match="keeps 3 versions of a cell"):
            driver.prepare()


def test_a_table_that_is_missing_is_told() -> None:
    with place("hbase") as url, tables(url) as connection, closing(drivers.open(url)) as driver:
        driver.prepare()
        connection.delete_table("bodies", disable=True)
        with pytest.raises(StoreForeign, match="tables of ours are missing"):
            driver.prepare()
        with pytest.raises(StoreError):
            driver.append([event(1)])


@contextmanager
def tables(url: str) -> Iterator[happybase.Connection]:
    """A connection of happybase's own, for what no driver would do."""
    address, _, prefix = url.removeprefix("hbase://").partition("/")
    host, _, port = address.partition(":")
    with closing(happybase.Connection(host, int(port), table_prefix=prefix, timeout=60_000)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("hbase:", "names no host"),
        ("hbase:///timeline", "names no host"),
        ("hbase://host:nine/timeline", "no URL of a store in HBase"),
        ("hbase://me:secret@host/timeline", "no user and no password"),
        ("hbase://host/a/b", "letters, digits"),
        ("hbase://host/-a", "letters, digits"),
        ("hbase://host/é", "letters, digits"),
        ("hbase://host/a%00", "letters, digits"),
        ("hbase://host/a?timeout=soon", "number of seconds"),
        ("hbase://host/a?timeout=0", "number of seconds"),
        ("hbase://host/a?timeout=nan", "number of seconds"),
        ("hbase://host/a?timeout=1&timeout=2", "more than once"),
        ("hbase://host/a?transport=pigeon", "buffered or framed"),
        ("hbase://host/a?sslmode=require", "no option 'sslmode'"),
    ],
)
def test_a_url_that_cannot_be_understood_is_told_so(url: str, said: str) -> None:
    with pytest.raises(StoreUrlError, match=said) as caught:
        drivers.open(url)
    assert "secret" not in str(caught.value)
