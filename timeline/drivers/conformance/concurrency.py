"""Several at the same time: threads, drivers, and the child of a fork."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from timeline.drivers.conformance.children import Child
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.conformance.store import OnAStore
from timeline.drivers.contract import Driver
from timeline.model import Event, Scope

_THREADS = 4


class Concurrency(OnAStore):
    """What holds whoever else is at work."""

    def test_threads_share_a_driver(self) -> None:
        with self.driver() as driver:
            _all_store_the_same([driver] * _THREADS)

    def test_drivers_share_a_store(self) -> None:
        with self.two_drivers() as (one, other):
            _all_store_the_same([one, other] * (_THREADS // 2))
            assert list(one.events(Scope())) == list(other.events(Scope()))

    def test_what_one_driver_stored_the_other_sees_at_once(self) -> None:
        with self.two_drivers() as (one, other):
            assert list(other.events([VM])) == []
            for at, driver in enumerate([one, other] * 3):
                driver.append([event(at, event_type=f"type.{at}", of=number(at // 4)), event(at, says=at)])
                for reader in (one, other):
                    assert [seen.occurred_at for seen in reader.events([VM])] == list(range(at + 1))
                    assert list(reader.events([number(at // 4)]))[-1].event_type == f"type.{at}"

    def test_an_append_is_seen_whole_or_not_at_all(self) -> None:
        if not self.transactions:
            pytest.skip("a store without transactions")
        with self.two_drivers() as (writer, reader), ThreadPoolExecutor() as pool:
            writer.append([event(0, n, of=number(n)) for n in range(20)])
            done = pool.submit(
                lambda: [writer.append([event(at, n, of=number(n)) for n in range(20)]) for at in range(1, 15)]
            )
            while not done.done():
                assert len(list(reader.events(Scope()))) % 20 == 0
                assert len(list(reader.events([number(n) for n in range(20)]))) % 20 == 0
            done.result()
            assert len(list(reader.events(Scope()))) == 20 * 15

    def test_a_fork_breaks_nothing(self) -> None:
        with self.driver() as driver:
            driver.append([event(1)])
            assert len(list(driver.events([VM]))) == 1
            child = Child(lambda tell: _child_works(driver))
            driver.append([event(2)])
            child.ended()
            driver.append([event(4)])
            assert {1, 2, 4} <= {one.occurred_at for one in driver.events([VM])}


def _all_store_the_same(drivers: list[Driver]) -> None:
    """Each thread stores the same events in an order of its own, in batches; together they store each of them once."""
    history = [event(at, [at // 10, "same"][at % 2], of=number(at % 7)) for at in range(120)]
    together = Barrier(len(drivers))

    def store(turn: int) -> int:
        own = history[turn * 30 :] + history[: turn * 30]
        together.wait()
        counts = [drivers[turn].append(own[first : first + 20]).events for first in range(0, len(own), 20)]
        return sum(len(history) if events is None else events for events in counts)

    with ThreadPoolExecutor(len(drivers)) as pool:
        stored = list(pool.map(store, range(len(drivers))))
    assert list(drivers[0].events(Scope())) == wanted(history)
    assert sum(stored) == len(history) or sum(stored) > len(history) * 6  # where the store cannot tell


def _child_works(driver: Driver) -> None:
    before: list[Event] = list(driver.events([VM]))
    driver.append([event(3)])
    after = {one.occurred_at for one in driver.events([VM])}
    assert before[0] == event(1)
    assert {1, 3} <= after
