"""The kit catches drivers that do not answer as known at."""

from collections.abc import Iterable, Iterator

import msgspec
import pytest

from tests.drivers.kits import Which, fails, kit_for
from timeline.drivers import Appended
from timeline.drivers.memory import MemoryDriver
from timeline.model import LIFE_BOUNDS, Event, Scope


class KnownOfScopesAlone(MemoryDriver):
    """For a collection the bound is forgotten."""

    def events(self, which: Which, *, known_before: int | None = None, **rest: object) -> Iterator[Event]:
        return super().events(which, known_before=known_before if isinstance(which, Scope) else None, **rest)


class KnownByWhenItHappened(MemoryDriver):
    """The two times are taken for one another."""

    def events(
        self, which: Which, *, until: int | None = None, known_before: int | None = None, **rest: object
    ) -> Iterator[Event]:
        for event in super().events(which, until=until, **rest):
            if known_before is None or event.occurred_at < known_before:
                yield event


class LastBeforeItWasKnown(MemoryDriver):
    """The last of each body is taken among all, and what was not known then is left out."""

    def events(
        self, which: Which, *, known_before: int | None = None, last_per_body: bool = False, **rest: object
    ) -> Iterator[Event]:
        for event in super().events(which, last_per_body=last_per_body, **rest):
            if known_before is None or event.recorded_at < known_before:
                yield event


class BoundsOfLivesByBody(MemoryDriver):
    """Of the bounds of lives the last of each body."""

    def events(self, which: Which, *, last_per_body: bool = False, **rest: object) -> Iterator[Event]:
        found = list(super().events(which, last_per_body=last_per_body, **rest))
        last = {(one.resource, one.body.digest): one.key for one in found if one.phase in LIFE_BOUNDS}
        for one in found:
            kept = one.phase not in LIFE_BOUNDS or last[one.resource, one.body.digest] == one.key
            if kept and (not last_per_body or one.phase != 11):
                yield one


class LeastRecordedAt(MemoryDriver):
    """Of several deliveries the one that was recorded first stays, whichever was stored first."""

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        for event in given:
            stored = self._memory.events.get(event.resource, {})
            known = stored.get(event.key[1:])
            if known is not None and event.recorded_at < known.recorded_at:
                stored[event.key[1:]] = event
        return super().append(given)


class NewestOfAllDeliveries(MemoryDriver):
    """The greatest recorded_at is kept apart, and rises with what was there already."""

    newest = None

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        type(self).newest = max([self.newest or 0, *(event.recorded_at for event in given)])
        return super().append(given)

    def summary(self) -> object:
        return msgspec.structs.replace(super().summary(), newest_record=self.newest)


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (KnownOfScopesAlone, "what_was_known_before_an_instant_is_answered_ever_after"),
        (KnownByWhenItHappened, "what_was_known_before_an_instant_is_answered_ever_after"),
        (KnownOfScopesAlone, "every_combination_of_bounds_is_right_for_every_choice"),
        (LastBeforeItWasKnown, "every_combination_of_bounds_is_right_for_every_choice"),
        (BoundsOfLivesByBody, "every_combination_of_bounds_is_right_for_every_choice"),
        (LeastRecordedAt, "a_redelivery_changes_neither_when_nor_how_an_event_was_learnt"),
        (NewestOfAllDeliveries, "a_redelivery_changes_neither_when_nor_how_an_event_was_learnt"),
    ],
)
def test_a_wrong_driver_fails_the_kit(wrong: type[MemoryDriver], test: str) -> None:
    fails(kit_for(wrong), test)
