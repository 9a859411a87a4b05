"""The kit catches drivers that do not refuse, refuse otherwise, or refuse what is only odd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

import msgspec
import pytest

from tests.drivers.kits import Which, fails, kit_for, passes
from timeline.drivers import Appended
from timeline.drivers.conformance.limiting import Limiting
from timeline.drivers.conformance.refusing import Refusing
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.errors import StoreError, StoreNotFound
from timeline.model import Event, Quarantined, Resource, Scope


class Made(MemoryDriver):
    """The right one: a store that is not there before it is prepared."""

    @property
    def _memory(self) -> Memory:
        memory = super()._memory
        if not self.there():
            raise self.refusal()
        return memory

    def there(self) -> bool:
        return self._held.name.startswith("made ")

    def refusal(self) -> Exception:
        return StoreNotFound("no store is there yet; timeline init makes one")

    def prepare(self) -> None:
        super().prepare()
        if not self._held.name.startswith("made "):
            self._held.name = f"made {self._held.name}"


class MadeByTheFirstWrite(Made):
    def append(self, events: Iterable[Event]) -> Appended:
        self.prepare()
        return super().append(events)


class EmptyBeforeItIsMade(Made):
    """What is asked of a store that is not there has an answer: nothing."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        return super().events(which, **rest) if self.there() else iter(())


class SaysThatItFailed(Made):
    """Refused, by the error that says least."""

    def refusal(self) -> Exception:
        return StoreError("no such table")


class LooksOnce(Made):
    """What was not there when it looked is never there."""

    seen: bool | None = None

    def there(self) -> bool:
        if self.seen is None:
            self.seen = super().there()
        return self.seen


class StaysOpen(MemoryDriver):
    def close(self) -> None:
        pass


class ClosedIsAForeignError(MemoryDriver):
    """Closed is what the library below calls so."""

    @property
    def _memory(self) -> Memory:
        if self._closed:
            raise ValueError("I/O operation on closed file")
        return self._held


class ClosesWhatItNeverOpened(MemoryDriver):
    connection: MemoryDriver | None = None

    def close(self) -> None:
        if self.connection is None:
            raise AttributeError("there is no connection to close")


class EndsWhenItIsClosed(MemoryDriver):
    """An answer whose driver is closed ends as if it were whole."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        for event in super().events(which, **rest):
            if self._closed:
                return
            yield event


class PreparesAnew(MemoryDriver):
    def prepare(self) -> None:
        self._memory.events.clear()


class PreparingIsAChange(MemoryDriver):
    def prepare(self) -> None:
        self._memory.changes.append(set(self._memory.events))


class FindsByGlob(MemoryDriver):
    def find(self, id: str) -> Sequence[Quarantined]:
        found = sorted(name for name in self._memory.quarantine if fnmatchcase(name, f"{id}*"))
        return [self._memory.quarantine[name] for name in found[:2]]


class TrimsWhatIsAsked(MemoryDriver):
    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        if scope.type is not None:
            scope = msgspec.structs.replace(scope, type=scope.type.strip(" "))
        return super().resources(scope, after=after, limit=limit)


class NoTextIsAnError(MemoryDriver):
    """What has no UTF-8 cannot be asked for."""

    def find(self, id: str) -> Sequence[Quarantined]:
        return super().find(id.encode().decode())


class NoTextIsReplaced(MemoryDriver):
    def put(self, records: Iterable[Quarantined]) -> int | None:
        return super().put(
            msgspec.structs.replace(record, origin=record.origin.encode(errors="replace").decode())
            for record in records
        )


class OriginOfAColumn(MemoryDriver):
    def put(self, records: Iterable[Quarantined]) -> int | None:
        return super().put(msgspec.structs.replace(record, origin=record.origin[:1_024]) for record in records)


class ListsInTheOrderOfUtf16(MemoryDriver):
    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        def key(record: Quarantined) -> tuple[int, bytes]:
            return (record.received_at, record.id.encode("utf-16-be", "surrogatepass"))

        records = sorted(super().list(limit=10**9, settled=settled), key=key)
        return [record for record in records if after is None or key(record) > key(after)][:limit]


class NoLimitIsZero(MemoryDriver):
    """What many servers take zero for."""

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        return super().resources(scope, after=after, limit=limit or 10**9)


class LimitOf31Bits(MemoryDriver):
    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        return super().list(after=after, limit=limit % 2**31, settled=settled)


class Unlimited(MemoryDriver):
    """Stores what it is given, whatever it is."""

    def append(self, events: Iterable[Event]) -> Appended:
        for event in list(events):
            key = (event.occurred_at, event.phase, event.body.digest)
            self._memory.events.setdefault(event.resource, {}).setdefault(key, event)
        return Appended(events=None, bodies=None, duplicates=None)


class KeepsWhatItCan(MemoryDriver):
    """Of an append the events that are within the limits stay."""

    def append(self, events: Iterable[Event]) -> Appended:
        for event in events:
            super().append([event])
        return Appended(events=None, bodies=None, duplicates=None)


class ThreeBytesACharacter(MemoryDriver):
    """There is room for the longest id where no character is beyond the first plane."""

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        if any(letter >= "\U00010000" for event in given for letter in event.resource.id):
            raise StoreError("incorrect string value")
        return super().append(given)


NEVER_MADE = "a_store_that_was_never_made_is_not_found_by_any_call"
CLOSED = "a_closed_driver_refuses_every_call"
PREPARED = "preparing_again_is_harmless_for_all_who_use_the_store"
NO_TEXT = "what_is_no_text_is_kept_in_quarantine"
AT_MOST = "a_page_has_at_most_as_many_as_asked_for"
BEYOND = "an_event_beyond_the_limits_is_refused_with_all_that_came_with_it"


@pytest.mark.parametrize(
    ("wrong", "test", "by"),
    [
        (MadeByTheFirstWrite, NEVER_MADE, AssertionError),
        (EmptyBeforeItIsMade, NEVER_MADE, AssertionError),
        (MemoryDriver, NEVER_MADE, AssertionError),
        (SaysThatItFailed, NEVER_MADE, StoreError),
        (LooksOnce, NEVER_MADE, StoreNotFound),
        (StaysOpen, CLOSED, AssertionError),
        (ClosedIsAForeignError, CLOSED, ValueError),
        (ClosesWhatItNeverOpened, "a_driver_that_was_never_used_can_be_closed", AttributeError),
        (EndsWhenItIsClosed, "an_answer_that_outlives_its_driver_is_whole_or_refused", AssertionError),
        (PreparesAnew, PREPARED, AssertionError),
        (PreparingIsAChange, PREPARED, AssertionError),
        (FindsByGlob, "odd_texts_find_nothing", AssertionError),
        (TrimsWhatIsAsked, "odd_texts_find_nothing", AssertionError),
        (NoTextIsAnError, "odd_texts_find_nothing", UnicodeEncodeError),
        (ListsInTheOrderOfUtf16, "pages_go_on_after_odd_texts", AssertionError),
        (NoTextIsReplaced, NO_TEXT, AssertionError),
        (OriginOfAColumn, NO_TEXT, AssertionError),
        (NoLimitIsZero, AT_MOST, AssertionError),
        (LimitOf31Bits, AT_MOST, AssertionError),
        (Unlimited, BEYOND, AssertionError),
        (KeepsWhatItCan, BEYOND, AssertionError),
        (ThreeBytesACharacter, "an_event_at_the_limits_is_stored", StoreError),
    ],
)
def test_a_wrong_driver_fails_the_kit(wrong: type[MemoryDriver], test: str, by: type[Exception]) -> None:
    fails(kit_for(wrong), test, by)


@pytest.mark.parametrize("test", [name for part in (Refusing, Limiting) for name in vars(part) if name[:5] == "test_"])
def test_a_right_driver_of_the_same_making_passes(test: str) -> None:
    passes(kit_for(Made), test.removeprefix("test_"))
