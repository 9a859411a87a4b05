"""Quarantine: kept, found, settled, open again."""

from __future__ import annotations

import msgspec

from timeline import clock
from timeline.drivers.conformance.history import event
from timeline.drivers.conformance.identity import TEXTS
from timeline.drivers.conformance.store import OnAStore
from timeline.errors import StoreError
from timeline.model import Outcome, Quarantined, limits
from timeline.model.quarantine import NOTE_BYTES


def record(
    id: str, at: int = 0, *, reason: str = "not-json", origin: str = "feed:1", place: str | None = "byte 1"
) -> Quarantined:
    """A record in quarantine."""
    return Quarantined(
        id=id,
        reason=reason,
        detail=f"{reason} in {origin}",
        origin=origin,
        received_at=at,
        event_type=None,
        message_id=None,
        size=1,
        data=b"{",
        place=place,
    )


class Quarantining(OnAStore):
    """What cannot be read is not lost."""

    def test_records_are_listed_by_age_in_pages(self) -> None:
        records = [record("ab", 5), record("aa", 5), record("ff", -1), record("00", 7)]
        by_age = [records[2], records[1], records[0], records[3]]
        with self.driver() as driver:
            assert driver.put(records) in (4, None)
            assert list(driver.list()) == by_age
            assert list(driver.list(limit=3)) == by_age[:3]
            for position, last in enumerate(by_age):
                assert list(driver.list(after=last)) == by_age[position + 1 :]
            assert list(driver.list(after=record("zz", 5), limit=1)) == by_age[3:]

    def test_putting_again_changes_nothing(self) -> None:
        first, again = record("aa", 1), record("aa", 2, reason="no-time", origin="feed:2")
        with self.driver() as driver:
            assert driver.put([first, again]) in (1, None)
            assert driver.put([again]) in (0, None)
            assert driver.put([]) in (0, None)
            assert list(driver.list()) == [first]

    def test_a_settled_record_is_kept_and_no_longer_listed(self) -> None:
        with self.two_drivers() as (driver, other):
            driver.put([record("aa"), record("bb")])
            driver.settle("aa", Outcome.STORED, 9)
            settled = msgspec.structs.replace(record("aa"), outcome=Outcome.STORED, settled_at=9)
            assert list(other.list()) == [record("bb")]
            assert list(other.find("aa")) == [settled]
            driver.settle("aa", Outcome.OUT_OF_SCOPE, 11)
            driver.settle("nobody", Outcome.STORED, 11)
            assert list(other.find("aa")) == [settled]

    def test_a_settled_record_that_comes_again_is_open_again(self) -> None:
        with self.driver() as driver:
            driver.put([record("aa", 1)])
            driver.settle("aa", Outcome.OUT_OF_SCOPE, 9)
            again = record("aa", 20, reason="no-time", origin="feed:2", place="timestamp")
            assert driver.put([again, record("aa", 30, reason="later")]) in (1, None)
            assert list(driver.list()) == [msgspec.structs.replace(again, received_at=1)]

    def test_a_dropped_record_tells_why(self) -> None:
        with self.two_drivers() as (driver, other):
            driver.put([record("aa"), record("bb"), record("cc")])
            driver.settle("aa", Outcome.DROPPED, 9, "a test of the vendor")
            driver.settle("bb", Outcome.DROPPED, 10)
            dropped = msgspec.structs.replace(
                record("aa"), outcome=Outcome.DROPPED, settled_at=9, note="a test of the vendor"
            )
            untold = msgspec.structs.replace(record("bb"), outcome=Outcome.DROPPED, settled_at=10)
            assert list(other.list(settled=True)) == [dropped, untold, record("cc")]
            driver.settle("aa", Outcome.DROPPED, 11, "for another reason")
            driver.settle("aa", Outcome.STORED, 11)
            driver.settle("bb", Outcome.DROPPED, 11, "too late")
            assert list(other.find("aa")) == [dropped]
            assert list(other.find("bb")) == [untold]

    def test_a_note_is_kept_of_what_is_dropped_alone(self) -> None:
        with self.driver() as driver:
            driver.put([record("aa"), record("bb")])
            driver.settle("aa", Outcome.STORED, 9, "a note")
            driver.settle("bb", Outcome.OUT_OF_SCOPE, 9, "a note" * NOTE_BYTES)
            assert [one.note for one in driver.list(settled=True)] == [None, None]

    def test_the_note_of_a_dropped_record_that_comes_again_is_gone(self) -> None:
        with self.driver() as driver:
            driver.put([record("aa")])
            driver.settle("aa", Outcome.DROPPED, 9, "a test of the vendor")
            assert driver.put([record("aa")]) in (1, None)
            assert list(driver.list()) == [record("aa")]
            driver.settle("aa", Outcome.DROPPED, 10)
            assert driver.find("aa")[0].note is None

    def test_a_note_is_any_text_up_to_its_limit(self) -> None:
        longest = "ä" * (NOTE_BYTES // 2)
        notes = ["", *TEXTS, longest]
        with self.driver() as driver:
            driver.put([record(f"{at:04}", at) for at in range(len(notes) + 1)])
            for at, note in enumerate(notes):
                driver.settle(f"{at:04}", Outcome.DROPPED, 9, note)
            assert [one.note for one in driver.list(settled=True)][:-1] == notes
            last = f"{len(notes):04}"
            for refused in (longest + "!", "\ud800"):
                try:
                    driver.settle(last, Outcome.DROPPED, 9, refused)
                except StoreError:
                    pass
                else:
                    raise AssertionError("a note beyond the limit, or that is no text, was taken")
            assert [one.id for one in driver.list()] == [last]

    def test_records_are_found_by_the_beginning_of_their_id(self) -> None:
        with self.driver() as driver:
            driver.put([record(id) for id in ("ab10", "ab11", "ab12", "ac00", "b")])
            driver.settle("ab10", Outcome.STORED, 1)
            assert [found.id for found in driver.find("ab1")] == ["ab10", "ab11"]
            assert [found.id for found in driver.find("ac")] == ["ac00"]
            assert [found.id for found in driver.find("b")] == ["b"]
            assert [found.id for found in driver.find("")] == ["ab10", "ab11"]
            assert list(driver.find("a%")) == []
            assert list(driver.find("AB1")) == []

    def test_a_record_comes_back_as_it_was_given(self) -> None:
        bytes_of_all = bytes(range(256)) * (limits.KEPT_BYTES // 256)
        records = [
            Quarantined(
                id=f"{at:04}",
                reason=f"reason-{at}",
                detail=text,
                origin=text,
                received_at=received_at,
                event_type=text,
                message_id=text,
                size=2**40,
                data=bytes_of_all[at:],
                place=text,
            )
            for at, (text, received_at) in enumerate(zip(TEXTS, [clock.MIN, clock.MAX] * len(TEXTS), strict=False))
        ]
        with self.driver() as driver:
            driver.put(records)
            stored = {one.id: one for one in driver.list()}
            # by their ids: to show how a megabyte differs from another takes a test runner very long
            assert [one.id for one in records if stored.pop(one.id, None) != one] == []
            assert not stored.keys()
            driver.settle("0001", Outcome.STORED, clock.MAX)
            assert driver.find("0001")[0].settled_at == clock.MAX
            assert driver.find("0001")[0].outcome is Outcome.STORED

    def test_a_put_that_fails_halfway_stores_nothing(self) -> None:
        with self.driver() as driver:
            try:
                driver.put(record(id) if id else 1 // 0 for id in ("aa", "bb", ""))  # type: ignore[misc]
            except ZeroDivisionError:
                pass
            else:
                raise AssertionError("the error of the iterable was swallowed")
            stored = list(driver.list())
            assert stored == ([] if self.transactions else [record("aa"), record("bb")][: len(stored)])
            driver.put([record("aa"), record("bb")])
            assert list(driver.list()) == [record("aa"), record("bb")]

    def test_the_open_records_are_counted_by_reason(self) -> None:
        with self.driver() as driver:
            driver.put([record("aa"), record("bb"), record("cc", reason="no-time"), record("dd", reason="too-deep")])
            driver.settle("dd", Outcome.STORED, 1)
            driver.append([event(1)])
            assert driver.summary().quarantined == {"no-time": 1, "not-json": 2}
