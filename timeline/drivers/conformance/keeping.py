"""What who keeps a store asks of it: whether it is sound, and all of its quarantine, to be moved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event as Flag

import msgspec

from timeline import clock
from timeline.drivers.conformance.history import event, number
from timeline.drivers.conformance.identity import TEXTS
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.conformance.store import OnAStore
from timeline.drivers.contract import Driver
from timeline.model import Outcome, Phase, Resource, limits


class Keeping(OnAStore):
    """A store that is sound is found so, whatever it was given, and all that is in quarantine is listed."""

    def test_an_empty_store_is_sound(self) -> None:
        with self.driver() as driver:
            assert list(driver.check()) == []

    def test_a_store_is_sound_whatever_it_was_given(self) -> None:
        odd = Resource(type="t" * limits.NAME_BYTES, source="\0", id="\U0010ffff" * (limits.ID_BYTES // 4))
        with self.driver() as driver:
            driver.append([event(at, at % 3, of=number(at % 5), phase=[*Phase][at % 9]) for at in range(200)])
            driver.append([event(at, at % 3, of=number(at % 5), message_id="again") for at in range(100)])
            driver.append([event(at, "x" * 100_000, of=odd) for at in (clock.MIN, -1, 0, clock.MAX)])
            driver.append([event(0, text, of=Resource(type="t", id=text), message_id=text) for text in TEXTS if text])
            driver.put([record("aa"), record("bb", clock.MIN), record("cc", clock.MAX)])
            driver.settle("bb", Outcome.STORED, clock.MAX)
            assert list(driver.check()) == []

    def test_a_check_changes_nothing(self) -> None:
        with self.two_drivers() as (one, other):
            one.append([event(1), event(2, "large")])
            one.put([record("aa")])
            before = other.version(), other.summary()
            list(one.check())
            assert (other.version(), other.summary()) == before

    def test_what_is_being_written_is_no_problem(self) -> None:
        with self.two_drivers() as (writer, reader), ThreadPoolExecutor() as pool:
            done = Flag()
            written = pool.submit(_write_until, done, writer)
            try:
                for _ in range(5):
                    assert list(reader.check()) == []
            finally:
                done.set()
            assert written.result() > 0
            assert list(reader.check()) == []

    def test_all_records_are_listed_where_the_settled_ones_are_asked_for(self) -> None:
        records = [record("ab", 5), record("aa", 5), record("ff", -1), record("00", 7)]
        with self.driver() as driver:
            driver.put(records)
            driver.settle("aa", Outcome.STORED, 9)
            driver.settle("00", Outcome.OUT_OF_SCOPE, 9)
            every = [
                records[2],
                msgspec.structs.replace(records[1], outcome=Outcome.STORED, settled_at=9),
                records[0],
                msgspec.structs.replace(records[3], outcome=Outcome.OUT_OF_SCOPE, settled_at=9),
            ]
            assert list(driver.list(settled=True)) == every
            assert list(driver.list(settled=True, limit=2)) == every[:2]
            for position, last in enumerate(every):
                assert list(driver.list(settled=True, after=last)) == every[position + 1 :]
                assert list(driver.list(after=last)) == [one for one in every[position + 1 :] if one.outcome is None]


def _write_until(done: Flag, driver: Driver) -> int:
    """Append events with bodies of their own, again and again; how many times."""
    for at in count():
        driver.append([event(at, f"{at} {n}", of=number(at * 10 + n)) for n in range(10)])
        if done.is_set():
            break
    return at + 1
