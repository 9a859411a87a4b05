"""What a copy does between any two stores: what is there is passed over, and what comes meanwhile is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from timeline.drivers import Appended
from timeline.drivers.conformance.history import HISTORIES, event, number
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.memory import MemoryDriver
from timeline.engine import copying
from timeline.engine.copying import Copied, copy
from timeline.model import Body, Event, Outcome, Quarantined, Resource, Scope
from timeline.reports.upkeep import dump_line


class Counting(MemoryDriver):
    """Remembers how much it was given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Event]] = []
        self.put_together: list[int] = []

    def append(self, events: Iterable[Event]) -> Appended:
        self.batches.append(list(events))
        return super().append(self.batches[-1])

    def put(self, records: Iterable[Quarantined]) -> int | None:
        given = list(records)
        self.put_together.append(len(given))
        return super().put(given)


class WrittenMeanwhile(MemoryDriver):
    """Gets another event each time that all are read."""

    reads = 0

    def events(self, which: Scope | Collection[Resource], **rest: object) -> Iterator[Event]:
        self.reads += 1
        self.append([event(self.reads, of=number(1_000))])
        return super().events(which, **rest)  # type: ignore[arg-type]


def copied(source: MemoryDriver, target: MemoryDriver) -> Copied:
    return copy(source, target, line=dump_line)


@given(HISTORIES, st.data())
def test_whatever_was_there_already_both_hold_the_same_in_the_end(
    history: list[list[Event]], data: st.DataObject
) -> None:
    source, target = MemoryDriver(), MemoryDriver()
    for batch in history:
        source.append(batch)
    stored = list(source.events(Scope()))
    there = [one for one in stored if data.draw(st.booleans())]
    target.append(there)
    told = copied(source, target)
    assert list(target.events(Scope())) == stored
    assert (told.events, told.copied, told.verified) == (len(stored), len(stored) - len(there), True)
    assert told.digest == told.target_digest


@given(HISTORIES, HISTORIES)
def test_two_histories_become_one_in_either_order(one: list[list[Event]], other: list[list[Event]]) -> None:
    sources = [MemoryDriver(), MemoryDriver()]
    for source, history in zip(sources, (one, other), strict=True):
        for batch in history:
            source.append(batch)
    keys = []
    for turn in (sources, sources[::-1]):
        target = MemoryDriver()
        for source in turn:
            told = copied(source, target)
            assert told.missing == 0
            assert told.events + told.extra == len(list(target.events(Scope())))
        keys.append([each.key for each in target.events(Scope())])
    assert keys[0] == keys[1]


def test_a_source_that_is_written_meanwhile_is_told_with_what_is_missing() -> None:
    source, target = WrittenMeanwhile(), MemoryDriver()
    source.append([event(at, of=number(1)) for at in range(10)])
    told = copied(source, target)
    assert (told.events, told.copied, told.missing, told.source_changed, told.verified) == (12, 11, 1, True, False)
    assert [(each.resource, each.missing, each.differing) for each in told.differences] == [(number(1_000), 1, 0)]


def test_of_many_that_differ_the_first_are_named() -> None:
    source, target = MemoryDriver(), MemoryDriver()
    source.append([event(at, of=number(at)) for at in range(30)])
    target.append([event(at, of=number(at), message_id="another") for at in range(30)])
    told = copied(source, target)
    assert told.differing == 30
    assert [each.resource for each in told.differences] == [number(at) for at in range(copying.NAMED)]


def test_what_is_held_at_once_is_bounded_in_events_and_bytes() -> None:
    source, target = MemoryDriver(), Counting()
    source.append([event(at, of=number(at % 7)) for at in range(2 * copying.BATCH + 1)])
    source.append([event(at, "x" * 1_000_000 + str(at), of=number(8)) for at in range(20)])
    source.put([record(f"{at:02}") for at in range(20)])
    assert copied(source, target).verified
    assert [len(batch) for batch in target.batches[:2]] == [copying.BATCH] * 2
    most = copying.BATCH_BYTES + 2_000_000
    assert all(sum(len(one.body.data) for one in batch) < most for batch in target.batches)
    assert max(target.put_together) <= copying.PAGE


def test_progress_tells_each_event_of_the_source_twice() -> None:
    source, target = MemoryDriver(), MemoryDriver()
    source.append([event(at) for at in range(2_500)])
    told: list[tuple[str, int]] = []
    copy(source, target, line=dump_line, progress=lambda stage, events: told.append((stage, events)))
    assert told == [("copying", 1_000), ("copying", 2_000), ("comparing", 1_000), ("comparing", 2_000)]


def test_a_record_that_was_put_and_not_yet_settled_is_settled_by_the_next_copy() -> None:
    source, target = MemoryDriver(), MemoryDriver()
    source.put([record("aa"), record("bb")])
    source.settle("bb", Outcome.OUT_OF_SCOPE, 9)
    target.put([record("aa"), record("bb")])  # as a copy leaves it that was killed in between
    told = copied(source, target)
    assert (told.quarantined, told.quarantined_copied, told.quarantined_differing) == (2, 1, 0)
    assert list(target.list(settled=True)) == list(source.list(settled=True))


def test_why_a_record_was_dropped_is_copied_also_where_the_target_has_it_otherwise() -> None:
    source, target = MemoryDriver(), MemoryDriver()
    source.put([record("aa"), record("bb", place="payload.id")])
    source.settle("aa", Outcome.DROPPED, 9, "a test of the vendor")
    source.settle("bb", Outcome.DROPPED, 9, "twice")
    target.put([record("bb", place="payload.id")])
    target.settle("bb", Outcome.DROPPED, 9, "once")
    told = copied(source, target)
    assert (told.quarantined_copied, told.quarantined_differing, told.verified) == (2, 0, True)
    assert list(target.list(settled=True)) == list(source.list(settled=True))


def test_a_body_may_say_anything() -> None:
    source, target = MemoryDriver(), MemoryDriver()
    said = Body.of({"text": "\u2028\0é😀", "number": 2**70, "none": None, "nested": {"b": [1.5, -0.0]}})
    source.append([Event(number(1), 0, event(0).phase, said, -5, "a.b")])
    assert copied(source, target).verified
