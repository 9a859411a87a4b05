"""Consumers are told to stop, as where a new release is rolled out: what they hold is finished, or goes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import timeline
from simulator import Fleet
from tests.faults.amounts import amount
from tests.faults.checking import assert_right, check
from tests.faults.consuming import Consumer, drained, until
from tests.faults.publishing import Publisher, waiting
from tests.faults.seeing import Numbers
from tests.servers import place

RESTARTS = amount(10)
MESSAGES = [*Fleet(seed=29, instances=15 * RESTARTS, days=2, late=0.05, duplicated=0.05).notifications()]
SLOWLY = ("--batch", "5", "--prefetch", "20")
GRACE = 10.0
"""Seconds that a consumer may take to end when it is told to."""


@pytest.fixture
def bus() -> Iterator[str]:
    with place("rabbitmq") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield prepared(f"sqlite:///{tmp_path}/timeline.db")
    else:
        with place(request.param) as url:
            yield prepared(url)


def prepared(store: str) -> str:
    with timeline.open(store) as engine:
        engine.prepare()
    return store


class Crew:
    """Two consumers of one queue, of which one after the other makes room for a new one."""

    def __init__(self, bus: str, store: str) -> None:
        self._where = bus, store
        self._members = [self._started(), self._started()]
        self.messages = 0
        """What those that have ended say that they have stored."""
        self.redelivered = 0.0
        """Messages that came to those that have ended when somebody else had held them."""

    def add_one(self) -> None:
        """Start a new one, and return when it takes messages."""
        self._members.append(self._started())

    def stop_one(self) -> None:
        """Stop the oldest: it must end by itself, soon, and without complaint."""
        oldest, numbers = self._members.pop(0)
        with oldest:
            self.redelivered += numbers["timeline_messages_redelivered_total"]
            assert oldest.stop(within=GRACE) == 0, oldest.said
            self.messages += oldest.ended()["notifications"]

    def wait_for_work(self) -> None:
        """Wait until the oldest has something in its hands."""
        _, numbers = self._members[0]
        until(lambda: numbers["timeline_unacknowledged_messages"] > 0, what="a message that is held")

    def close(self) -> None:
        """Stop those that are left."""
        while self._members:
            self.stop_one()

    def _started(self) -> tuple[Consumer, Numbers]:
        numbers = Numbers()
        consumer = Consumer(*self._where, *SLOWLY, *numbers.words)
        until(lambda: numbers["timeline_connected"] == 1, what="a subscription")
        return consumer, numbers


def test_a_crew_of_two_is_replaced_one_by_one_while_messages_come(bus: str, store: str) -> None:
    publisher = Publisher(bus)
    crew = Crew(bus, store)
    at_work = turn = 0
    with closing(crew), ThreadPoolExecutor(1) as aside:
        while at_work < RESTARTS:
            assert turn < 3 * RESTARTS, "most were told to stop when all was done"
            crew.add_one()
            published = aside.submit(publisher.publish, MESSAGES[turn % RESTARTS :: RESTARTS])
            crew.wait_for_work()
            # where this process was slow they may have done all: then that turn is not counted
            at_work += not published.done() or waiting(bus) > 0
            crew.stop_one()
            published.result()
            turn += 1
    publisher.close()
    assert crew.redelivered > 0, "no one that was told to stop gave anything back"
    # who ends in good order has acknowledged what it has stored: only what it has not comes again
    assert crew.messages + drained(bus, store)["notifications"] == len(publisher.confirmed)
    assert_right(store, publisher.confirmed)


def test_what_a_locked_store_did_not_take_goes_back_when_the_consumer_is_told_to_stop(bus: str, tmp_path: Path) -> None:
    store = prepared(f"sqlite:///{tmp_path}/timeline.db")
    publisher = Publisher(bus)
    publisher.publish(MESSAGES[:100])
    publisher.close()
    numbers = Numbers()
    with closing(sqlite3.connect(tmp_path / "timeline.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Consumer(bus, store, *SLOWLY, *numbers.words) as consumer:
            until(lambda: numbers["timeline_unacknowledged_messages"] > 0, what="a message that is held")
            assert consumer.stop(within=GRACE) == 0, consumer.said
        other.execute("ROLLBACK")
    until(lambda: waiting(bus) == 100, what="the return of what was held")
    assert check(store, [], also=MESSAGES[:100]).is_right
    assert drained(bus, store)["notifications"] == 100
    assert_right(store, publisher.confirmed)
