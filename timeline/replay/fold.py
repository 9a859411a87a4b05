"""The fold: from the events of one resource, in the order of the model, to what they say together.

A field is a register, won within a life by the greatest event that speaks of it. Where states are compared, values
are held as their canonical bytes, so that equality is equality of bytes; where one state is wanted, they are decoded at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from timeline.model import GENESIS, Birth, Body, Event, Existence, Json, Phase, Resource, Segment, State

_decode = msgspec.json.Decoder(dict[str, Json]).decode
_encode = msgspec.json.Encoder().encode

Value = TypeVar("Value")
Raw = Mapping[str, msgspec.Raw]
_NOTHING: Mapping[str, Any] = {}
_BIRTHS = {Phase.CREATE: Birth.CREATE, Phase.RESTORE: Birth.RESTORE}


class Registers(Generic[Value]):
    """What the events seen so far say. Events are to come in the order of the model.

    ``spoken`` tells what a body says: :meth:`~timeline.model.Body.spoken`, or :meth:`~timeline.model.Body.fields`.
    """

    def __init__(self, spoken: Callable[[Body], Mapping[str, Value]]) -> None:
        self._spoken = spoken
        self.existence = Existence.UNKNOWN
        self.life = 0
        self.born: Birth | None = None
        self._fields: dict[str, Value] = {}
        self._ambiguous: set[str] = set()
        self._last: bytes | None = None
        """The digest of the body that spoke last, while it speaks for all its fields."""

    @property
    def fields(self) -> Mapping[str, Value]:
        """The fields in force; none while unknown or deleted."""
        return self._fields if self.existence is Existence.PRESENT else _NOTHING

    @property
    def kept(self) -> Mapping[str, Value]:
        """The fields that a restore would take up now."""
        return self._fields

    @property
    def ambiguous(self) -> tuple[str, ...]:
        """The fields to which the last that spoke of them gave two values."""
        return tuple(sorted(self._ambiguous)) if self.existence is Existence.PRESENT else ()

    def repeats(self, event: Event) -> bool:
        """Whether an event, alone at its instant, says what was said last and no more: it changes nothing."""
        return (
            event.body.digest == self._last and self.existence is Existence.PRESENT and event.phase is not Phase.DELETE
        )

    def apply(self, events: Sequence[Event]) -> None:
        """Take in the events of one instant, phase and version."""
        phase = events[0].phase
        if phase is Phase.DELETE:
            if self.existence is Existence.UNKNOWN:
                self.life, self.born = 1, Birth.UNSEEN
            # what a delete says besides is evidence; the fields stay for a restore
            self.existence = Existence.DELETED
            return
        if self.existence is not Existence.PRESENT:
            if self.existence is Existence.DELETED and phase not in GENESIS:
                return
            self._open_life(phase)
        if len(events) == 1:
            self._speak(events[0])
        else:
            self._speak_at_once(events)

    def _open_life(self, phase: Phase) -> None:
        self.existence = Existence.PRESENT
        self.life += 1
        self.born = _BIRTHS.get(phase, Birth.UNSEEN)
        self._last = None
        if phase is Phase.CREATE:
            self._fields = {}
            self._ambiguous = set()

    def _speak(self, event: Event) -> None:
        if event.body.digest == self._last:
            return
        spoken = self._spoken(event.body)
        self._fields.update(spoken)
        if self._ambiguous:
            self._ambiguous.difference_update(spoken)
        self._last = event.body.digest

    def _speak_at_once(self, events: Sequence[Event]) -> None:
        values: dict[str, list[msgspec.Raw]] = {}
        for event in events:
            self._fields.update(self._spoken(event.body))
            for name, value in event.body.spoken().items():
                values.setdefault(name, []).append(value)
        for name, said in values.items():
            if any(value != said[0] for value in said):
                self._ambiguous.add(name)
            else:
                self._ambiguous.discard(name)
        self._last = None


class Change(NamedTuple, Generic[Value]):
    """An instant from which on the state is another, and that state."""

    start: int
    existence: Existence
    life: int
    born: Birth | None
    ambiguous: tuple[str, ...]
    fields: Mapping[str, Value]


def changes(events: Sequence[Event], spoken: Callable[[Body], Mapping[str, Value]]) -> Iterator[Change[Value]]:
    """The instants at which the state of one resource changes, in order: each begins a segment.

    ``events`` is in the order of the model, without duplicates. Two values that ``spoken`` gives for a field are to be
    equal if and only if their canonical bytes are.
    """
    registers = Registers(spoken)
    last: Change[Value] | None = None
    begin, count = 0, len(events)
    while begin < count:
        event = events[begin]
        instant, end = event.occurred_at, begin + 1
        while end < count and events[end].occurred_at == instant:
            end += 1
        if end == begin + 1:
            begin = end
            if registers.repeats(event):
                continue
            registers.apply((event,))
        else:
            for group in _groups(events[begin:end]):
                registers.apply(group)
            begin = end
        same = (
            last is not None
            and registers.existence is last.existence
            and registers.life == last.life
            and registers.ambiguous == last.ambiguous
            and registers.fields == last.fields
        )
        if not same:
            life, born, fields = registers.life, registers.born, dict(registers.fields)
            last = Change(instant, registers.existence, life, born, registers.ambiguous, fields)
            yield last


def segments(events: Sequence[Event]) -> tuple[Segment, ...]:
    """The segments that the events of one resource make, oldest first, from the first evidence on.

    ``events`` is in the order of the model, without duplicates.
    """
    return tuple(_segments(events))


def state(resource: Resource, at: int, events: Sequence[Event]) -> State:
    """The state at an instant. ``events`` is in the order of the model, none later than ``at``."""
    registers = Registers(Body.fields)
    for group in _groups(events):
        registers.apply(group)
    return State(
        resource=resource,
        at=at,
        existence=registers.existence,
        life=registers.life,
        fields=dict(sorted(registers.fields.items())),
        ambiguous=registers.ambiguous,
    )


def replayed(events: Sequence[Event]) -> Registers[msgspec.Raw]:
    """The registers after these events, which are in the order of the model."""
    registers = Registers(Body.spoken)
    for group in _groups(events):
        registers.apply(group)
    return registers


def _decoded(fields: Raw) -> dict[str, Json]:
    """Fields with their values decoded, by name."""
    return _decode(_encode(dict(sorted(fields.items())))) if fields else {}


def _groups(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    previous: list[Event] = []
    for event in events:
        if previous and not _at_once(previous[0], event):
            yield previous
            previous = []
        previous.append(event)
    if previous:
        yield previous


def _at_once(one: Event, other: Event) -> bool:
    return one.occurred_at == other.occurred_at and one.phase is other.phase and one.body.version == other.body.version


def _segments(events: Sequence[Event]) -> Iterator[Segment]:
    pending: Change[msgspec.Raw] | None = None
    values: dict[str, Json] = {}
    for change in changes(events, Body.spoken):
        if pending is not None:
            yield _segment(pending, change.start, values)
        pending, values = change, _decoded(change.fields)
    if pending is not None:
        yield _segment(pending, None, values)


def _segment(change: Change[msgspec.Raw], end: int | None, values: dict[str, Json]) -> Segment:
    return Segment(
        start=change.start,
        end=end,
        existence=change.existence,
        life=change.life,
        born=change.born,
        fields=values,
        ambiguous=change.ambiguous,
    )
