"""The log of changes: exact where it can be, and honest where it cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.drivers.processes import Child
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.codec import pack_numbers, unpack_numbers
from timeline.drivers.conformance.changing import Changing, Copy
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.sql import changes
from timeline.drivers.sql.driver import SqlDriver
from timeline.drivers.sql.sqlite import Sqlite
from timeline.model import Scope


class SideBySide(Sqlite):
    """A store whose writers take turns under several names, as those do that need not wait for one another."""

    writers = 16


class TestSeveralWriters(Changing):
    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        with TemporaryDirectory() as folder:
            path = f"{folder}/timeline.db"
            yield lambda: SqlDriver(SideBySide(f"sqlite:///{path}", path, 30.0))


@pytest.fixture(params=["memory", "sqlite"])
def either(request: pytest.FixtureRequest, url: str) -> Iterator[Driver]:
    with closing(drivers.open("memory:" if request.param == "memory" else url)) as driver:
        driver.prepare()
        yield driver


def test_exactly_what_was_added_to_is_named(either: Driver) -> None:
    tokens = [either.version()]
    for n in range(6):
        either.append([event(n, of=number(n)), event(9, n, of=VM)])
        tokens.append(either.version())
    for n, token in enumerate(tokens):
        added = {VM, *map(number, range(n, 6))} if n < 6 else set()
        assert set(either.changed(token) or ()) == added


def test_what_other_processes_add_is_told(driver: Driver, url: str) -> None:
    history = [event(at, at // 40, of=number(at % 20)) for at in range(400)]

    def write(turn: int) -> str:
        with closing(drivers.open(url)) as own:
            for first in range(turn * 200, turn * 200 + 200, 10):
                own.append(history[first : first + 10])
        return "done"

    copy = Copy(driver)
    copy.refresh()
    token = driver.version()
    children = [Child(lambda turn=turn: write(turn)) for turn in range(2)]
    for _ in range(20):
        copy.refresh()
    assert [child.report() for child in children] == ["done", "done"]
    copy.refresh()
    assert copy.events(Scope()) == wanted(history)
    assert set(driver.changed(token) or ()) == set(map(number, range(20)))


def test_the_log_does_not_grow_for_ever_and_who_was_away_too_long_is_told_so(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "KEPT", 4)
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        tokens = [driver.version()]
        for n in range(9):
            driver.append([event(1, of=number(n))])
            tokens.append(driver.version())
        told = [driver.changed(token) for token in tokens]
        assert told == [None] * 6 + [[number(6), number(7), number(8)], [number(7), number(8)], [number(8)], []]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT number FROM change").fetchall() == [(6,), (7,), (8,), (9,)]


@pytest.mark.parametrize("gap", ["number <= 2", "number = 3", "number >= 3", "number = 4", "true"])
def test_the_log_can_be_deleted_at_any_moment(driver: Driver, path: Path, gap: str) -> None:
    tokens = [driver.version()]
    for n in range(4):
        driver.append([event(1, of=number(n))])
        tokens.append(driver.version())
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"DELETE FROM change WHERE {gap}")
    for n, token in enumerate(tokens):
        told = driver.changed(token)
        assert told is None or set(told) >= set(map(number, range(n, 4)))
    after = driver.version()
    driver.append([event(2, of=number(9))])
    assert driver.version() not in (after, *tokens)
    for n, token in enumerate(tokens):
        told = driver.changed(token)
        assert told is None or set(told) >= {number(9), *map(number, range(n, 4))}
    again = driver.version()
    driver.append([event(3, of=number(9))])
    assert driver.changed(again) == [number(9)]


def test_a_store_of_which_a_backup_was_restored_does_not_know_what_came_after_the_backup(
    url: str, path: Path, tmp_path: Path
) -> None:
    def added(*history: int) -> str:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
            for at in history:
                driver.append([event(at)])
            return driver.version()

    kept = added(1, 2)
    copyfile(path, tmp_path / "backup.db")
    lost = added(3, 4)
    copyfile(tmp_path / "backup.db", path)
    assert added(5, 6) != lost
    with closing(drivers.open(url)) as driver:
        assert driver.changed(lost) is None
        assert driver.changed(kept) == [VM]


def test_ids_are_packed_as_they_always_were() -> None:
    """Bytes that are in stores."""
    literal = {
        (): "",
        (1,): "01",
        (3, 1, 2, 3): "010101",
        (127, 128, 256): "7f018001",
        (300,): "ac02",
        (2**63 - 1,): "ffffffffffffffff7f",
    }
    for numbers, packed in literal.items():
        assert pack_numbers(numbers).hex() == packed


@given(some.lists(some.integers(1, 2**63 - 1) | some.integers(1, 2_000)))
def test_ids_come_back_each_once_and_in_order(numbers: list[int]) -> None:
    assert list(unpack_numbers(pack_numbers(numbers))) == sorted(set(numbers))
