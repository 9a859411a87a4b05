"""The kit catches drivers that do not tell all that has changed."""

from collections.abc import Collection, Iterable

import pytest

from tests.drivers.kits import fails, kit_for, passes
from timeline.drivers import Appended
from timeline.drivers.conformance.changing import Changing
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.model import Event, Resource, Scope


class ConstantVersion(MemoryDriver):
    def version(self) -> str:
        return "1"


class VersionByNewestRecord(MemoryDriver):
    """A greatest recorded_at does not see what was recorded earlier and stored later."""

    def version(self) -> str:
        return str(self.summary().newest_record)


class NothingEverChanges(MemoryDriver):
    def changed(self, since: str) -> Collection[Resource] | None:
        return []


class ChangedByRecordedAt(MemoryDriver):
    """What was recorded after the newest record by then: late deliveries of what was recorded before are not seen."""

    def version(self) -> str:
        summary = self.summary()
        return f"{summary.newest_record} {super().version()}"

    def changed(self, since: str) -> Collection[Resource] | None:
        newest, _, token = since.partition(" ")
        if super().changed(token) is None:
            return None
        return {event.resource for event in self.events(Scope()) if newest == "None" or event.recorded_at > int(newest)}


class ForgetsRepeats(MemoryDriver):
    """A change is noted with a body that is new for its resource."""

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        known = {resource: {key[2] for key in keys} for resource, keys in self._memory.events.items()}
        before = len(self._memory.changes)
        counts = super().append(given)
        for changed in self._memory.changes[before:]:
            changed -= {one.resource for one in given if one.body.digest in known.get(one.resource, ())}
        return counts


class OwnChangesOnly(MemoryDriver):
    """What other drivers added is not noted."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self._own: set[Resource] = set()

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        self._own.update(event.resource for event in given)
        return super().append(given)

    def changed(self, since: str) -> Collection[Resource] | None:
        changed = super().changed(since)
        return changed and self._own.intersection(changed)


class OnlyTheLastChange(MemoryDriver):
    """Each append overwrites what the one before had noted."""

    def append(self, events: Iterable[Event]) -> Appended:
        counts = super().append(events)
        for changed in self._memory.changes[:-1]:
            changed.clear()
        return counts


class ToldOnce(MemoryDriver):
    """A queue of changes: who asks takes them away."""

    def changed(self, since: str) -> Collection[Resource] | None:
        changed = super().changed(since)
        for told in self._memory.changes if changed else ():
            told.clear()
        return changed


class EveryTokenIsKnown(MemoryDriver):
    def changed(self, since: str) -> Collection[Resource] | None:
        return super().changed(since) or []


class TokensOfAnyStore(MemoryDriver):
    """A plain number: every store counts so."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        memory.name = "appends"


class OnePageOfChanges(MemoryDriver):
    def changed(self, since: str) -> Collection[Resource] | None:
        changed = super().changed(since)
        return changed and sorted(changed)[:1_000]


class NumberedBeforeTheCommit(MemoryDriver):
    """An append takes its number when it begins, as from a sequence, and is to be seen when it is over."""

    def append(self, events: Iterable[Event]) -> Appended:
        number = len(self._memory.changes)
        self._memory.changes.append(set())
        given = list(events)
        counts = super().append(given)
        self._memory.changes[number].update(event.resource for event in given)
        self._memory.changes[number + 1 :] = []
        return counts


class DuplicatesAreChanges(MemoryDriver):
    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        counts = super().append(given)
        if not counts.events:
            self._memory.changes.append({event.resource for event in given})
        return counts


CAUGHT = [
    (ConstantVersion, "the_version_changes_with_every_append_that_adds"),
    (VersionByNewestRecord, "the_version_changes_with_every_append_that_adds"),
    (NothingEverChanges, "a_resource_with_a_new_event_is_named_whoever_added_it"),
    (NothingEverChanges, "what_comes_between_the_token_and_the_events_is_seen_the_next_time"),
    (NothingEverChanges, "a_copy_that_is_kept_so_holds_what_the_store_holds"),
    (NothingEverChanges, "a_copy_that_is_kept_so_misses_nothing_of_many_writers"),
    (ChangedByRecordedAt, "a_late_event_is_a_change_whenever_it_happened_and_was_recorded"),
    (ChangedByRecordedAt, "a_copy_that_is_kept_so_holds_what_the_store_holds"),
    (ForgetsRepeats, "a_repeat_is_a_change"),
    (ForgetsRepeats, "a_copy_that_is_kept_so_holds_what_the_store_holds"),
    (OwnChangesOnly, "a_resource_with_a_new_event_is_named_whoever_added_it"),
    (OnlyTheLastChange, "each_token_tells_what_came_after_it"),
    (OnlyTheLastChange, "a_copy_that_is_kept_so_holds_what_the_store_holds"),
    (ToldOnce, "each_token_tells_what_came_after_it"),
    (EveryTokenIsKnown, "a_token_that_the_store_never_gave_is_not_known"),
    (TokensOfAnyStore, "a_token_that_the_store_never_gave_is_not_known"),
    (OnePageOfChanges, "very_many_resources_are_all_named"),
    (NumberedBeforeTheCommit, "what_was_not_to_be_seen_with_the_token_has_changed_since"),
    (DuplicatesAreChanges, "duplicates_alone_are_no_change"),
    (ConstantVersion, "a_repeat_is_a_change"),
]


@pytest.mark.parametrize(("wrong", "test"), CAUGHT, ids=lambda value: getattr(value, "__name__", value))
def test_a_wrong_driver_fails_the_kit(wrong: type[MemoryDriver], test: str) -> None:
    fails(kit_for(wrong), test)


class CannotTell(MemoryDriver):
    """What is honest, where a store has no log of its changes."""

    def changed(self, since: str) -> Collection[Resource] | None:
        return None


@pytest.mark.parametrize("test", [name for name in vars(Changing) if name.startswith("test_")])
def test_a_driver_that_cannot_tell_what_changed_is_not_wrong(test: str) -> None:
    passes(kit_for(CannotTell), test.removeprefix("test_"))
