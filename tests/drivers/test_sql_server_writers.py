"""PostgreSQL and MariaDB: many who write at once, and connections that break between any two statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from random import Random

import pytest
from sqlalchemy import make_url

from tests.drivers.proxy import Proxy
from tests.servers import place
from timeline import drivers
from timeline.drivers import Appended, Driver
from timeline.drivers.conformance.children import together
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.conformance.quarantine import record
from timeline.errors import StoreUnavailable
from timeline.model import Event, Outcome, Scope

WRITERS = 8


@pytest.fixture(params=["postgresql", "mariadb"])
def name(request: pytest.FixtureRequest) -> str:
    said: str = request.param
    return said


@pytest.fixture
def url(name: str) -> Iterator[str]:
    with place(name) as url:
        yield url


class Through:
    """A store that is reached through a proxy."""

    def __init__(self, url: str) -> None:
        given = make_url(url)
        self.proxy = Proxy(given.host or "", given.port or 0)
        self.url = given.set(host="127.0.0.1", port=self.proxy.port).render_as_string(hide_password=False)

    def close(self) -> None:
        self.proxy.close()


@pytest.fixture
def through(url: str) -> Iterator[Through]:
    with closing(Through(url)) as through:
        yield through


@pytest.fixture
def driver(through: Through) -> Iterator[Driver]:
    with closing(drivers.open(through.url)) as driver:
        driver.prepare()
        yield driver


class TestAtOnce:
    """Each has an order of its own, and all of them want the same rows."""

    def processes(self, url: str, work: Callable[[Driver, Random], None]) -> None:
        def one(turn: int) -> Callable[[Callable[[str], None]], None]:
            def begin(tell: Callable[[str], None]) -> None:
                with closing(drivers.open(url)) as own:
                    work(own, Random(turn))

            return begin

        with closing(drivers.open(url)) as driver:
            driver.prepare()
        together(one(turn) for turn in range(WRITERS))

    def test_whose_resources_bodies_and_types_are_all_new_are_not_in_each_others_way(self, url: str) -> None:
        history = [event(n % 5, n % 97, of=number(n % 89), event_type=f"type.{n % 53}") for n in range(1_500)]

        def work(own: Driver, rng: Random) -> None:
            sent = rng.sample(history, len(history))
            while sent:
                own.append(sent[:150])
                del sent[:150]

        self.processes(url, work)
        with closing(drivers.open(url)) as driver:
            stored = list(driver.events(Scope()))
            assert stored == wanted(history)
            summary = driver.summary()
            assert (summary.events, summary.bodies) == (len(stored), len({one.body for one in stored}))
            assert list(driver.check()) == []

    def test_who_put_the_same_records_into_quarantine_are_not_in_each_others_way(self, url: str) -> None:
        records = [record(f"{n:03}", n) for n in range(100)]

        def work(own: Driver, rng: Random) -> None:
            for _ in range(5):
                own.put(rng.sample(records, len(records)))
                for one in rng.sample(records, 10):
                    own.settle(one.id, Outcome.OUT_OF_SCOPE, 1)

        self.processes(url, work)
        with closing(drivers.open(url)) as driver:
            assert [one.id for one in driver.list(settled=True)] == [one.id for one in records]


class TestBrokenOff:
    def test_a_store_is_made_though_the_making_was_broken_off_anywhere(self, name: str) -> None:
        refused = 0
        for messages in count(1, 1 if name == "mariadb" else 5):  # PostgreSQL makes it in one transaction
            with place(name) as url, closing(Through(url)) as through, closing(drivers.open(through.url)) as driver:
                through.proxy.arm(messages=messages)
                try:
                    driver.prepare()
                except StoreUnavailable:
                    refused += 1
                if not through.proxy.disarmed():
                    break
                driver.prepare()
                driver.append([event(1)])
                driver.put([record("aa")])
                assert list(driver.events(Scope())) == [event(1)], messages
                assert list(driver.check()) == [], messages
        assert refused > 5

    def test_an_append_is_whole_though_it_was_broken_off_anywhere(self, through: Through, driver: Driver) -> None:
        stored: list[Event] = []
        refused = unknown = 0
        for messages in count(1):
            batch = [event(messages, f"{messages}-{n}", of=number(100 * messages + n)) for n in range(3)]
            through.proxy.arm(messages=messages)
            with closing(drivers.open(through.url)) as own:
                try:
                    unknown += own.append(batch).events is None
                except StoreUnavailable:  # who is not let in at first is not asked to come again
                    refused += 1
            if not through.proxy.disarmed():
                break
            found = list(driver.events(Scope()))
            assert found in (stored, [*stored, *batch])
            driver.append(batch)
            stored += batch
            assert list(driver.events(Scope())) == stored
        assert refused + unknown > 10
        assert unknown > 5
        assert list(driver.check()) == []

    @pytest.mark.parametrize("heard", [True, False])
    def test_a_commit_of_unknown_outcome_is_done_again(self, heard: bool, through: Through, driver: Driver) -> None:
        driver.append([event(1)])
        through.proxy.arm(b"COMMIT", heard=heard)
        assert driver.append([event(2), event(3)]) == Appended(events=None, bodies=None, duplicates=None)
        assert through.proxy.disarmed()
        assert list(driver.events([VM])) == [event(1), event(2), event(3)]
        through.proxy.arm(b"COMMIT", heard=heard)
        assert driver.put([record("aa")]) is None
        assert through.proxy.disarmed()
        through.proxy.arm(b"COMMIT", heard=heard)
        driver.settle("aa", Outcome.STORED, 9)
        assert through.proxy.disarmed()
        assert driver.find("aa")[0].outcome is Outcome.STORED
