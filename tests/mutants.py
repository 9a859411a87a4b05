"""Engines that are wrong on purpose, each in one way: the memory driver, the fold or the order with one rule broken.

`MUTANTS` has them by what they do wrong. Each is a function that breaks what has to be broken for the length of a test,
and gives the engine that is made of it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
import pytest

from timeline import replay
from timeline.clock import Instant
from timeline.drivers import memory
from timeline.drivers.contract import Appended
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine
from timeline.model import GENESIS, LIFE_BOUNDS, Event, Existence, Phase, Resource, Scope, Segment, order
from timeline.replay import Registers, Timeline, fold
from timeline.replay import timeline as timelines

Mutant = Callable[[pytest.MonkeyPatch], Engine]
MUTANTS: dict[str, Mutant] = {}


def _driver(wrong: str) -> Callable[[type[MemoryDriver]], type[MemoryDriver]]:
    def add(broken: type[MemoryDriver]) -> type[MemoryDriver]:
        MUTANTS[wrong] = lambda monkeypatch: Engine(broken())
        return broken

    return add


def _fold(wrong: str) -> Callable[[type[Registers]], type[Registers]]:
    def add(broken: type[Registers]) -> type[Registers]:
        def mutant(monkeypatch: pytest.MonkeyPatch) -> Engine:
            monkeypatch.setattr(fold, "Registers", broken)
            return Engine(MemoryDriver())

        MUTANTS[wrong] = mutant
        return broken

    return add


def _order(wrong: str, broken: Callable[[Event], Any]) -> None:
    def mutant(monkeypatch: pytest.MonkeyPatch) -> Engine:
        for module in (memory, timelines):
            monkeypatch.setattr(module, "order", broken)
        return Engine(MemoryDriver())

    MUTANTS[wrong] = mutant


def _segments(wrong: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def add(broken: Callable[[Sequence[Event]], tuple[Segment, ...]]) -> Callable[..., Any]:
        def mutant(monkeypatch: pytest.MonkeyPatch) -> Engine:
            monkeypatch.setattr(timelines, "segments", broken)
            return Engine(MemoryDriver())

        MUTANTS[wrong] = mutant
        return broken

    return add


def _engine(wrong: str) -> Callable[[type[Engine]], type[Engine]]:
    def add(broken: type[Engine]) -> type[Engine]:
        MUTANTS[wrong] = lambda monkeypatch: broken(MemoryDriver())
        return broken

    return add


# What is stored


class Choosy(MemoryDriver):
    """Stores what it chooses to."""

    def append(self, events: Iterable[Event]) -> Appended:
        return super().append([event for event in events if self.wants(event, list(self.events((event.resource,))))])

    def wants(self, event: Event, stored: list[Event]) -> bool:
        raise NotImplementedError


def _told(events: Iterable[Event], until: int) -> tuple[object, ...]:
    found = replay.replayed(sorted((event for event in events if event.occurred_at <= until), key=order))
    return (found.existence, found.life, dict(found.fields), found.ambiguous)


@_driver("suppresses what equals the state at its time")
class Suppressing(Choosy):
    def wants(self, event: Event, stored: list[Event]) -> bool:
        return _told(stored, event.occurred_at) != _told([*stored, event], event.occurred_at)


@_driver("drops what is older than the newest")
class NewestOnly(Choosy):
    def wants(self, event: Event, stored: list[Event]) -> bool:
        return all(event.occurred_at >= each.occurred_at for each in stored)


@_driver("drops stragglers after a delete")
class NoStragglers(Choosy):
    def wants(self, event: Event, stored: list[Event]) -> bool:
        gone = _told(stored, event.occurred_at)[0] is Existence.DELETED
        return event.phase in GENESIS or not gone


@_driver("keeps only the first and last time of a run")
class FirstAndLast(MemoryDriver):
    def append(self, events: Iterable[Event]) -> Appended:
        events = list(events)
        appended = super().append(events)
        for event in events:
            stored = self._memory.events[event.resource]
            for digest, run in groupby(sorted(stored.values(), key=order), key=lambda each: each.body.digest):
                for amid in list(run)[1:-1]:
                    if amid.phase not in LIFE_BOUNDS:
                        del stored[amid.occurred_at, amid.phase, digest]
        return appended


@_driver("keeps the provenance of the last delivery")
class LastDelivery(MemoryDriver):
    def append(self, events: Iterable[Event]) -> Appended:
        events = list(events)
        for event in events:
            self._memory.events.get(event.resource, {}).pop(event.key[1:], None)
        return super().append(events)


# What is read back


Chosen = Callable[[list[Event], int | None, int | None, bool], list[Event]]
"""Of all events of a resource, until when, known before when, and if the last per body will do: those that are read."""


def _reading(wrong: str, chosen: Chosen) -> None:
    class Reader(MemoryDriver):
        def events(
            self,
            which: Scope | Collection[Resource],
            *,
            until: int | None = None,
            known_before: int | None = None,
            last_per_body: bool = False,
        ) -> Iterator[Event]:
            for _, found in groupby(super().events(which), key=lambda event: event.resource):
                yield from chosen(list(found), until, known_before, last_per_body)

    MUTANTS[wrong] = lambda monkeypatch: Engine(Reader())


def _last(
    events: list[Event], asked: bool, *, bounds: frozenset[Phase] = LIFE_BOUNDS, restored: bool = True
) -> list[Event]:
    if restored and any(event.phase is Phase.RESTORE for event in events):
        return events
    last = {event.body.digest: event for event in events if event.phase not in bounds}
    return [e for e in events if not asked or e.phase in bounds or last[e.body.digest] is e]


def _until(events: list[Event], until: int | None) -> list[Event]:
    return [event for event in events if until is None or event.occurred_at <= until]


def _known(events: list[Event], known: int | None) -> list[Event]:
    return [event for event in events if known is None or event.recorded_at < known]


_reading(
    "reads the last event per body without the bounds of lives",
    lambda found, until, known, last: _last(_known(_until(found, until), known), last, bounds=frozenset()),
)
_reading(
    "takes the last event per body before it looks at T",
    lambda found, until, known, last: _until(_last(_known(found, known), last), until),
)
_reading(
    "takes the last event per body before it looks at what was known",
    lambda found, until, known, last: _known(_last(_until(found, until), last), known),
)
_reading(
    "knows already what is recorded at the instant that is asked about",
    lambda found, until, known, last: _last(_known(_until(found, until), known and known + 1), last),
)
_reading(
    "leaves out what happens at T",
    lambda found, until, known, last: _last(
        _known([e for e in found if until is None or e.occurred_at < until], known), last
    ),
)


_reading(
    "takes the last event per body of a restored life too",
    lambda found, until, known, last: _last(_known(_until(found, until), known), last, restored=False),
)


@_engine("lists what was not known yet as unknown")
class ListsTheUnheardOf(Engine):
    def _spoken_of(self, scope: Scope, known_before: int | None) -> Iterator[Resource]:
        return super()._spoken_of(scope, None)


@_engine("sees the old state at the instant of a change")
class EndIncluded(Engine):
    def timeline(self, type: str, id: str, *, source: str = "", as_known_at: Instant | None = None) -> Timeline:
        class Late(Timeline):
            def _segment(self, instant: int) -> Segment:
                return super()._segment(instant - 1)

        found = super().timeline(type, id, source=source, as_known_at=as_known_at)
        return Late(found.resource, found.events, as_known_at=found.as_known_at)


# The order

_order("orders by arrival", lambda event: event.recorded_at)
_order("orders simultaneous events by arrival", lambda event: (event.occurred_at, event.phase, event.body.version))
_order("ignores the version", lambda event: (event.occurred_at, event.phase, event.body.digest))
_order("ignores the phase", lambda event: (event.occurred_at, event.body.version, event.body.digest))
_order("puts the version before the phase", lambda event: (event.occurred_at, event.body.version, event.phase))
_order(
    "puts the delete first at its instant",
    lambda event: (event.occurred_at, event.phase is not Phase.DELETE, *order(event)[1:]),
)


# The fold


def _decoded(value: Any) -> Any:
    # the fold holds values as they are spelled where it compares states, and decoded where it tells one
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


@_fold("merges maps")
class MergesMaps(Registers):
    def _speak(self, event: Event) -> None:
        before = dict(self._fields)
        super()._speak(event)
        for name, value in self._fields.items():
            old, new = _decoded(before.get(name)), _decoded(value)
            if isinstance(old, dict) and isinstance(new, dict):
                both = {**old, **new}
                spelled = msgspec.Raw(msgspec.json.encode(both, order="sorted"))
                self._fields[name] = spelled if isinstance(value, msgspec.Raw) else both


@_fold("is revived by a straggler")
class Zombie(Registers):
    def apply(self, events: Sequence[Event]) -> None:
        if self.existence is Existence.DELETED and events[0].phase is not Phase.DELETE:
            self._open_life(Phase.UPDATE)
        super().apply(events)


@_fold("restores to no fields")
class RestoresNothing(Registers):
    def _open_life(self, phase: Phase) -> None:
        super()._open_life(phase)
        self._fields = {}
        self._ambiguous = set()


@_fold("restores without what was ambiguous")
class RestoresCertainty(Registers):
    def _open_life(self, phase: Phase) -> None:
        super()._open_life(phase)
        self._ambiguous = set()


@_fold("creates with the fields of the life before")
class CreatesWithOldFields(Registers):
    def _open_life(self, phase: Phase) -> None:
        fields, self._fields = self._fields, {}
        super()._open_life(phase)
        self._fields = fields


@_fold("creates with what was ambiguous in the life before")
class CreatesWithOldMarks(Registers):
    def _open_life(self, phase: Phase) -> None:
        marks = set(self._ambiguous)
        super()._open_life(phase)
        self._ambiguous = marks


@_fold("remembers across lives which body spoke last")
class RemembersTheLastBody(Registers):
    def _open_life(self, phase: Phase) -> None:
        last = self._last
        super()._open_life(phase)
        self._last = last


@_fold("opens a life by any genesis")
class AnyGenesis(Registers):
    def apply(self, events: Sequence[Event]) -> None:
        if self.existence is Existence.PRESENT and events[0].phase in GENESIS:
            self._open_life(events[0].phase)
        super().apply(events)


@_fold("lets a delete speak")
class DeleteSpeaks(Registers):
    def apply(self, events: Sequence[Event]) -> None:
        if events[0].phase is Phase.DELETE and self.existence is Existence.PRESENT:
            self._speak(events[0])
        super().apply(events)


@_fold("ignores a delete that comes first")
class IgnoresFirstDelete(Registers):
    def apply(self, events: Sequence[Event]) -> None:
        if events[0].phase is not Phase.DELETE or self.existence is not Existence.UNKNOWN:
            super().apply(events)


@_fold("never settles what is ambiguous")
class NeverSettles(Registers):
    def _speak(self, event: Event) -> None:
        marks = set(self._ambiguous)
        super()._speak(event)
        self._ambiguous = marks


@_fold("settles what is ambiguous by whatever comes next")
class SettlesByAnything(Registers):
    def _speak(self, event: Event) -> None:
        super()._speak(event)
        self._ambiguous = set()


@_fold("sees nothing ambiguous")
class NeverAmbiguous(Registers):
    def _speak_at_once(self, events: Sequence[Event]) -> None:
        for event in events:
            self._speak(event)


@_fold("forgets a field that is null")
class NullIsAbsent(Registers):
    def _speak(self, event: Event) -> None:
        super()._speak(event)
        self._fields = {name: value for name, value in self._fields.items() if _decoded(value) is not None}


@_fold("lets a field go that is not mentioned")
class Snapshots(Registers):
    def _speak(self, event: Event) -> None:
        super()._speak(event)
        self._fields = {name: self._fields[name] for name in event.body.fields()}


# The segments


@_segments("compares neighbours as Python does")
def by_python(events: Sequence[Event]) -> tuple[Segment, ...]:
    merged: list[Segment] = []
    for segment in replay.segments(events):
        if merged and msgspec.structs.replace(segment, start=merged[-1].start, end=merged[-1].end) == merged[-1]:
            merged[-1] = msgspec.structs.replace(merged[-1], end=segment.end)
        else:
            merged.append(segment)
    return tuple(merged)


@_segments("makes a boundary of every event")
def at_every_event(events: Sequence[Event]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for segment in replay.segments(events):
        starts = sorted({e.occurred_at for e in events if _within(segment, e.occurred_at)})
        for start, end in zip(starts, [*starts[1:], segment.end], strict=True):
            found.append(msgspec.structs.replace(segment, start=start, end=end))
    return tuple(found)


def _within(segment: Segment, instant: int) -> bool:
    return (segment.start or 0) <= instant and (segment.end is None or instant < segment.end)


@_segments("makes segments of states without length")
def without_length(events: Sequence[Event]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for index, event in enumerate(events, 1):
        last = msgspec.structs.replace(replay.segments(events[:index])[-1], start=event.occurred_at)
        if not found or msgspec.structs.replace(last, start=found[-1].start) != found[-1]:
            found[-1:] = [msgspec.structs.replace(each, end=event.occurred_at) for each in found[-1:]]
            found.append(last)
    return tuple(found)
