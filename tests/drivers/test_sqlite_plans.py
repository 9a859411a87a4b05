"""What SQLite does to answer, and the ids that stand for resources, bodies and streams."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.history import event, number
from timeline.drivers.sql.driver import SqlDriver
from timeline.drivers.sql.sqlite import Sqlite
from timeline.errors import StoreError
from timeline.model import Resource, Scope


class Watched(Sqlite):
    """A store that notes the statements it is given."""

    def __init__(self, url: str, path: Path) -> None:
        super().__init__(url, str(path), 1.0)
        self.seen: list[str] = []

    def connect(self, *, writing: bool) -> sqlite3.Connection:
        connection = super().connect(writing=writing)
        connection.set_trace_callback(self.seen.append)
        return connection


class TestPlans:
    """What a question costs does not grow with what else is stored."""

    @pytest.fixture
    def watched(self, driver: Driver, url: str, path: Path) -> Iterator[tuple[SqlDriver, list[str]]]:
        driver.append([event(at, at % 3, of=number(at % 5)) for at in range(100)])
        database = Watched(url, path)
        with closing(SqlDriver(database)) as own:
            own.append([event(1, "warm", of=number(1))])
            list(own.events([number(1)]))
            database.seen.clear()
            yield own, database.seen

    @pytest.mark.parametrize("known_before", [None, 50])
    @pytest.mark.parametrize("last_per_body", [False, True])
    @pytest.mark.parametrize("scope", [None, Scope(), Scope(type="instance"), Scope(type="instance", source="north")])
    def test_events_are_sought_and_never_sorted(
        self,
        watched: tuple[SqlDriver, list[str]],
        path: Path,
        scope: Scope | None,
        last_per_body: bool,
        known_before: int | None,
    ) -> None:
        driver, seen = watched
        asked = [number(2)] if scope is None else scope
        found = list(driver.events(asked, until=60, known_before=known_before, last_per_body=last_per_body))
        assert found
        (statement,) = [text for text in seen if "JOIN event" in text]
        plan = _plan(path, statement)
        assert any(step.startswith("SEARCH event USING PRIMARY KEY (stream=?") for step in plan)
        assert not [step for step in plan if "TEMP B-TREE" in step or "AUTOMATIC" in step]
        scans = [step for step in plan if step.startswith("SCAN")]
        assert scans == (["SCAN resource USING COVERING INDEX resource_key"] if asked == Scope() else [])
        if last_per_body:
            assert any(step.startswith("SEARCH last USING PRIMARY KEY (stream=?") for step in plan)
        for text in seen:
            if " IN (" in text:  # bodies and names, many at once
                assert [step[:6] for step in _plan(path, text)] == ["SEARCH"]

    def test_bodies_and_names_are_looked_up_many_at_once(
        self, watched: tuple[SqlDriver, list[str]], driver: Driver
    ) -> None:
        own, seen = watched
        driver.append([event(1, f"{n}", of=number(n)) for n in range(100)])
        found = list(own.events(Scope(type="instance")))
        assert {one.resource for one in found} == set(map(number, range(100)))
        assert len([text for text in seen if " IN (" in text]) == 2

    def test_one_resource_is_one_statement(self, watched: tuple[SqlDriver, list[str]]) -> None:
        driver, seen = watched
        list(driver.events([number(2)], last_per_body=True))
        assert len(seen) == 1

    def test_what_was_met_before_is_stored_without_a_read(self, watched: tuple[SqlDriver, list[str]]) -> None:
        driver, seen = watched
        driver.append([event(at, "warm", of=number(1)) for at in range(200, 220)])
        words = [text.split()[0] for text in seen]
        assert words == ["BEGIN", *["INSERT"] * 20, "UPDATE", "INSERT", "DELETE", "COMMIT"]

    def test_new_ids_are_found_without_a_scan(self, watched: tuple[SqlDriver, list[str]], path: Path) -> None:
        driver, seen = watched
        driver.append([event(1, "new", of=number(77), event_type="new")])
        reads = [text for text in seen if text.startswith("SELECT")]
        assert len(reads) == 7
        for text in reads:
            assert [step for step in _plan(path, text) if "SCAN" in step] == []
        assert all("ON CONFLICT" in text for text in seen if text.startswith("INSERT INTO event "))
        assert "IGNORE" not in " ".join(seen)

    def test_the_next_page_of_resources_is_sought(self, watched: tuple[SqlDriver, list[str]], path: Path) -> None:
        driver, seen = watched
        driver.resources(Scope(type="instance"), after=number(2), limit=2)
        (step,) = _plan(path, seen[-1])
        assert step.startswith("SEARCH resource USING COVERING INDEX resource_key (type=?")

    def test_what_has_changed_is_sought(self, watched: tuple[SqlDriver, list[str]], path: Path) -> None:
        driver, seen = watched
        before = driver.version()
        driver.append([event(300, of=number(1))])
        seen.clear()
        assert driver.changed(before) == [number(1)]
        (last, since, names) = (text for text in seen if text.startswith("SELECT"))
        (scan,) = [step for step in _plan(path, last) if "SCAN" in step]
        assert scan.startswith("SCAN writer")  # a row for each writer, of which SQLite has one
        for text in (since, names):
            assert [step for step in _plan(path, text) if "SCAN" in step or "TEMP" in step] == []


class TestIds:
    def test_what_was_rolled_back_is_not_remembered(self, driver: Driver, url: str, path: Path) -> None:
        """The ids that a failed append had taken are given out again: to others."""
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TRIGGER never BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'never'); END")
            with pytest.raises(StoreError, match="never"):
                driver.append([event(1, "new", of=number(1), event_type="type.other"), event(2, "new", of=number(1))])
            database.execute("DROP TRIGGER never")
        with closing(drivers.open(url)) as other:
            other.append([event(1, "quite other", of=number(2), event_type="type.third")])
        history = [event(1, "new", of=number(1), event_type="type.new"), event(2, "quite other", of=number(1))]
        driver.append(history)
        assert list(driver.events([number(1)])) == history

    def test_more_ids_than_are_remembered_are_found_again(self, driver: Driver) -> None:
        resources = [Resource(type="port", id=str(n)) for n in range(30_000)]
        for at in (1, 2):
            driver.append([event(at, of=one) for one in resources])
        counts = driver.append([event(2, of=one) for one in resources])
        assert (counts.events, counts.bodies, counts.duplicates) == (0, 0, 30_000)
        assert driver.summary().events == 60_000
        assert [one.occurred_at for one in driver.events([resources[0]])] == [1, 2]


def _plan(path: Path, statement: str) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}")]
