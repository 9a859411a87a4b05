"""The kit is worth what it catches: each of these drivers is wrong in one way, and fails the test that is for it."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import pytest

from tests.drivers.kits import Which, fails, kit_for
from timeline.drivers import Appended, Summary
from timeline.drivers.memory import MemoryDriver
from timeline.model import LIFE_BOUNDS, Event, Outcome, Quarantined, Resource, Scope


class NewestProvenance(MemoryDriver):
    """Of a duplicate the last delivery stays."""

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        for event in given:
            self._memory.events.get(event.resource, {}).pop((event.occurred_at, event.phase, event.body.digest), None)
        return super().append(given)


class LeastProvenance(MemoryDriver):
    """Of the duplicates within a call the one with the least message id stays."""

    def append(self, events: Iterable[Event]) -> Appended:
        return super().append(sorted(events, key=lambda event: event.message_id or ""))


class ExcludesTheBound(MemoryDriver):
    def events(self, which: Which, *, until: int | None = None, **rest: object) -> Iterator[Event]:
        return super().events(which, until=None if until is None else until - 1, **rest)


class KnownAtTheBound(MemoryDriver):
    def events(self, which: Which, *, known_before: int | None = None, **rest: object) -> Iterator[Event]:
        return super().events(which, known_before=None if known_before is None else known_before + 1, **rest)


class ByArrival(MemoryDriver):
    """Events of one instant come as they arrived."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        arrived = [event for events in self._memory.events.values() for event in events.values()]
        arrival = {event.key: turn for turn, event in enumerate(arrived)}
        for resource in dict.fromkeys(event.resource for event in super().events(which, **rest)):
            own = super().events([resource], **rest)
            yield from sorted(own, key=lambda event: (event.occurred_at, arrival[event.key]))


class ByPhaseAlone(MemoryDriver):
    """The order of a common query: time, phase, digest. The version is forgotten."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        found = list(super().events(which, **rest))
        for resource in dict.fromkeys(event.resource for event in found):
            own = [event for event in found if event.resource == resource]
            yield from sorted(own, key=lambda event: (event.occurred_at, event.phase, event.body.digest))


class Renaming(MemoryDriver):
    """A collation: some ids are taken for one another."""

    def rename(self, text: str) -> str:
        return text

    def append(self, events: Iterable[Event]) -> Appended:
        return super().append(
            msgspec.structs.replace(
                event, resource=msgspec.structs.replace(event.resource, id=self.rename(event.resource.id))
            )
            for event in events
        )


class WithoutCase(Renaming):
    def rename(self, text: str) -> str:
        return text.lower()


class WithoutTrailingSpace(Renaming):
    def rename(self, text: str) -> str:
        return text.rstrip(" ")


class UpToNul(Renaming):
    def rename(self, text: str) -> str:
        return text.partition("\0")[0]


class CutAt255(Renaming):
    def rename(self, text: str) -> str:
        return text[:255]


class OrderOfUtf16(MemoryDriver):
    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        found = super().resources(scope, after=after, limit=10**9)
        return sorted(found, key=lambda resource: resource.id.encode("utf-16-be"))[:limit]


class Joined(MemoryDriver):
    """A row key of one piece: where a name holds what joins the pieces, another resource has the same key."""

    between = "."

    def append(self, events: Iterable[Event]) -> Appended:
        rows = {self.key(resource): resource for resource in self._memory.events}
        return super().append(
            msgspec.structs.replace(event, resource=rows.setdefault(self.key(event.resource), event.resource))
            for event in events
        )

    def key(self, one: Resource) -> str:
        return self.between.join((one.type, one.source, one.id))


class JoinedByNul(Joined):
    between = "\0"


class ShortNamesFirst(MemoryDriver):
    """The order of keys that begin with the length of what follows."""

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        found = sorted(super().resources(scope, limit=10**9), key=self.key)
        return [one for one in found if after is None or self.key(one) > self.key(after)][:limit]

    def key(self, one: Resource) -> tuple[int, str, int, str, str]:
        return (len(one.type.encode()), one.type, len(one.source.encode()), one.source, one.id)


class UnsignedTimes(MemoryDriver):
    """The order of the bytes of a time, where what is before 1970 comes last."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        found = list(super().events(which, **rest))
        for resource in dict.fromkeys(event.resource for event in found):
            own = [event for event in found if event.resource == resource]
            yield from sorted(own, key=lambda event: event.occurred_at % 2**64)


class OnlyTheNewest(MemoryDriver):
    """What is older than the newest is dropped."""

    def append(self, events: Iterable[Event]) -> Appended:
        newest = {
            resource: max(at for at, _, _ in events) for resource, events in self._memory.events.items() if events
        }
        return super().append(
            event for event in events if event.occurred_at >= newest.get(event.resource, event.occurred_at)
        )


class OnlyChanges(MemoryDriver):
    """What says the same as the newest is dropped: the shortcut that does not converge."""

    def append(self, events: Iterable[Event]) -> Appended:
        kept = []
        for event in events:
            known = [*self._memory.events.get(event.resource, {}).values(), *kept]
            before = [one for one in known if one.resource == event.resource and one.occurred_at <= event.occurred_at]
            if not before or max(before, key=lambda one: one.occurred_at).body != event.body:
                kept.append(event)
        return super().append(kept)


class WithoutLifeBounds(MemoryDriver):
    def events(self, which: Which, *, last_per_body: bool = False, **rest: object) -> Iterator[Event]:
        found = list(super().events(which, **rest))
        last = {(event.resource, event.body.digest): event.key for event in found}
        return (event for event in found if not last_per_body or last[event.resource, event.body.digest] == event.key)


class RestoredAsOthers(MemoryDriver):
    """The last of each body, of restored resources too."""

    def events(self, which: Which, *, last_per_body: bool = False, **rest: object) -> Iterator[Event]:
        found = list(super().events(which, **rest))
        last = {(one.resource, one.body.digest): one.key for one in found if one.phase not in LIFE_BOUNDS}
        for one in found:
            if not last_per_body or one.phase in LIFE_BOUNDS or last[one.resource, one.body.digest] == one.key:
                yield one


class LastBeforeTheBounds(MemoryDriver):
    """The last of each body is taken first, and the bounds are applied to what is left."""

    def events(
        self,
        which: Which,
        *,
        until: int | None = None,
        known_before: int | None = None,
        last_per_body: bool = False,
    ) -> Iterator[Event]:
        for event in super().events(which, last_per_body=last_per_body):
            if (until is None or event.occurred_at <= until) and (
                known_before is None or event.recorded_at < known_before
            ):
                yield event


class HalfABatch(MemoryDriver):
    def append(self, events: Iterable[Event]) -> Appended:
        counts = [super(HalfABatch, self).append([event]) for event in events]
        return Appended(events=sum(count.events or 0 for count in counts), bodies=None, duplicates=None)


class Milliseconds(MemoryDriver):
    def append(self, events: Iterable[Event]) -> Appended:
        return super().append(
            msgspec.structs.replace(event, occurred_at=event.occurred_at // 1_000 * 1_000) for event in events
        )


class OwnClock(MemoryDriver):
    """Stamps what it stores."""

    def append(self, events: Iterable[Event]) -> Appended:
        return super().append(msgspec.structs.replace(event, recorded_at=77) for event in events)


class LowerMessageIds(MemoryDriver):
    def append(self, events: Iterable[Event]) -> Appended:
        return super().append(
            msgspec.structs.replace(event, message_id=event.message_id and event.message_id.lower()) for event in events
        )


class FirstPageOnly(MemoryDriver):
    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        return super().resources(scope, limit=limit)


class MovingAnswers(MemoryDriver):
    """Each resource is read when its turn comes, in a moment of its own."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        resources = super().resources(which, limit=10**9) if isinstance(which, Scope) else list(dict.fromkeys(which))
        for resource in resources:
            yield from super().events([resource], **rest)


class FromThePageOn(MemoryDriver):
    """What is added before the answer has come so far stands in it; what was read on the way is lost to it."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        found = list(super().events(which, **rest))
        yield from found[:100]
        yield from list(super().events(which, **rest))[100:]


class DuplicatesAreEvents(MemoryDriver):
    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        counts = super().append(given)
        return Appended(events=len(given), bodies=counts.bodies, duplicates=0)


class ScopeForgetsTheSource(MemoryDriver):
    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        if isinstance(which, Scope):
            which = msgspec.structs.replace(which, source=None)
        return super().events(which, **rest)


class ForgetsOnClosing(MemoryDriver):
    def close(self) -> None:
        self._memory.events.clear()


class SettledIsGone(MemoryDriver):
    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        self._memory.quarantine.pop(id, None)


class SettlesAgain(MemoryDriver):
    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        for record in self.find(id):
            self._memory.quarantine[record.id] = msgspec.structs.replace(record, outcome=outcome, settled_at=at)


class ForgetsTheNote(MemoryDriver):
    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        super().settle(id, outcome, at)


class CutsTheNote(MemoryDriver):
    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        super().settle(id, outcome, at, note and note[:255])


class TakesTheLastNote(MemoryDriver):
    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        super().settle(id, outcome, at, note)
        for record in self.find(id):
            if record.outcome is outcome is Outcome.DROPPED:
                self._memory.quarantine[record.id] = msgspec.structs.replace(record, note=note)


class NotesAreForAll(MemoryDriver):
    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        super().settle(id, outcome, at)
        for record in self.find(id):
            self._memory.quarantine[record.id] = msgspec.structs.replace(record, note=note)


class NotesStay(MemoryDriver):
    def put(self, records: Iterable[Quarantined]) -> int | None:
        notes = {id: record.note for id, record in self._memory.quarantine.items()}
        opened = super().put(records)
        for id, note in notes.items():
            self._memory.quarantine[id] = msgspec.structs.replace(self._memory.quarantine[id], note=note)
        return opened


class ForgetsThePlace(MemoryDriver):
    def put(self, records: Iterable[Quarantined]) -> int | None:
        return super().put(msgspec.structs.replace(record, place=None) for record in records)


class PlaceOfTheFirst(MemoryDriver):
    def put(self, records: Iterable[Quarantined]) -> int | None:
        places = {id: record.place for id, record in self._memory.quarantine.items()}
        opened = super().put(records)
        for id, place in places.items():
            self._memory.quarantine[id] = msgspec.structs.replace(self._memory.quarantine[id], place=place)
        return opened


class SettledStaysSettled(MemoryDriver):
    def put(self, records: Iterable[Quarantined]) -> int | None:
        return super().put(record for record in records if record.id not in self._memory.quarantine)


class FindsByPattern(MemoryDriver):
    def find(self, id: str) -> Sequence[Quarantined]:
        return super().find(id.replace("%", "").lower())


class CountsTheSettled(MemoryDriver):
    def summary(self) -> Summary:
        every = [record.reason for record in self._memory.quarantine.values()]
        return msgspec.structs.replace(
            super().summary(), quarantined={reason: every.count(reason) for reason in sorted(every)}
        )


CAUGHT = [
    (NewestProvenance, "of_a_duplicate_the_provenance_of_the_first_delivery_stays"),
    (LeastProvenance, "of_a_duplicate_within_one_call_the_first_given_stays"),
    (ExcludesTheBound, "until_includes_its_instant"),
    (KnownAtTheBound, "known_before_excludes_its_instant"),
    (ByArrival, "simultaneous_events_come_in_the_order_of_the_model"),
    (ByPhaseAlone, "simultaneous_events_come_in_the_order_of_the_model"),
    (ByPhaseAlone, "every_history_is_given_back_whole_and_in_order"),
    (WithoutCase, "ids_are_told_apart_and_ordered_by_their_bytes"),
    (WithoutTrailingSpace, "ids_are_told_apart_and_ordered_by_their_bytes"),
    (UpToNul, "ids_are_told_apart_and_ordered_by_their_bytes"),
    (CutAt255, "ids_are_told_apart_and_ordered_by_their_bytes"),
    (OrderOfUtf16, "ids_are_told_apart_and_ordered_by_their_bytes"),
    (Joined, "odd_names_are_kept_apart_in_every_combination_and_at_every_length"),
    (JoinedByNul, "odd_names_are_kept_apart_in_every_combination_and_at_every_length"),
    (ShortNamesFirst, "odd_names_are_kept_apart_in_every_combination_and_at_every_length"),
    (UnsignedTimes, "odd_names_are_kept_apart_in_every_combination_and_at_every_length"),
    (UnsignedTimes, "times_are_exact_from_the_first_to_the_last"),
    (OnlyTheNewest, "a_late_event_stands_where_it_happened"),
    (OnlyChanges, "a_late_event_stands_where_it_happened"),
    (OnlyChanges, "every_history_is_given_back_whole_and_in_order"),
    (WithoutLifeBounds, "of_a_body_every_bound_of_a_life_is_kept_and_of_the_rest_the_last"),
    (WithoutLifeBounds, "every_history_is_given_back_whole_and_in_order"),
    (RestoredAsOthers, "of_a_restored_resource_everything_is_kept"),
    (RestoredAsOthers, "every_history_is_given_back_whole_and_in_order"),
    (LastBeforeTheBounds, "the_last_of_a_body_is_taken_after_both_bounds"),
    (LastBeforeTheBounds, "every_history_is_given_back_whole_and_in_order"),
    (HalfABatch, "an_append_that_fails_halfway_stores_nothing"),
    (Milliseconds, "times_are_exact_from_the_first_to_the_last"),
    (OwnClock, "provenance_comes_back_as_it_was_given"),
    (LowerMessageIds, "provenance_comes_back_as_it_was_given"),
    (FirstPageOnly, "resources_come_in_pages_and_in_order"),
    (FromThePageOn, "an_answer_holds_all_that_was_there_when_it_began"),
    (MovingAnswers, "an_answer_shows_one_moment"),
    (DuplicatesAreEvents, "the_counts_are_right_where_they_are_told"),
    (ScopeForgetsTheSource, "a_scope_chooses_by_type_source_and_id"),
    (ForgetsOnClosing, "what_was_appended_is_there_after_closing_and_opening_again"),
    (SettledIsGone, "a_settled_record_is_kept_and_no_longer_listed"),
    (SettlesAgain, "a_settled_record_is_kept_and_no_longer_listed"),
    (SettledStaysSettled, "a_settled_record_that_comes_again_is_open_again"),
    (ForgetsTheNote, "a_dropped_record_tells_why"),
    (TakesTheLastNote, "a_dropped_record_tells_why"),
    (CutsTheNote, "a_note_is_any_text_up_to_its_limit"),
    (NotesAreForAll, "a_note_is_kept_of_what_is_dropped_alone"),
    (NotesStay, "the_note_of_a_dropped_record_that_comes_again_is_gone"),
    (ForgetsThePlace, "a_record_comes_back_as_it_was_given"),
    (PlaceOfTheFirst, "a_settled_record_that_comes_again_is_open_again"),
    (FindsByPattern, "records_are_found_by_the_beginning_of_their_id"),
    (CountsTheSettled, "the_open_records_are_counted_by_reason"),
]


@pytest.mark.parametrize(("wrong", "test"), CAUGHT, ids=lambda value: getattr(value, "__name__", value))
def test_a_wrong_driver_fails_the_kit(wrong: type[MemoryDriver], test: str) -> None:
    fails(kit_for(wrong), test)
