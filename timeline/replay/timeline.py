"""The timeline of one resource: its segments, and the evidence for them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

import msgspec

from timeline import clock
from timeline.clock import Instant
from timeline.model import (
    GENESIS,
    Birth,
    Event,
    Existence,
    Json,
    Phase,
    Resource,
    Segment,
    canonical,
    order,
)
from timeline.replay.fold import replayed, segments


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """What is different between two instants. Pairs are ``(before, after)``."""

    changed: Mapping[str, tuple[Json, Json]]
    added: Mapping[str, Json]
    removed: Mapping[str, Json]
    existence: tuple[Existence, Existence]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a field has the value that it has at an instant."""

    field: str
    collected: bool
    """Whether anything in this life has spoken of the field; if not, there is no value."""
    value: Json
    set_by: Event | None
    """The event since which the field has had this value without a break between segments."""
    confirmed_by: int
    """How many later events, up to the instant, have said it again."""
    last_confirmed: int | None
    """When the last of them happened."""


class Timeline:
    """What one resource was, from the first evidence on: a pure function of the set of its events.

    Instants are microseconds since 1970 UTC, ISO 8601 text or datetimes; spans are ``[start, end)``.
    """

    def __init__(self, resource: Resource, events: Iterable[Event], *, as_known_at: int | None = None) -> None:
        self.resource = resource
        self.as_known_at = as_known_at
        self.events: tuple[Event, ...] = tuple(sorted(events, key=order))
        """The events, in the order of the model."""
        self.segments: tuple[Segment, ...] = segments(self.events)
        """The segments, oldest first: neighbours differ, and the last is open."""
        self._starts = [segment.start or 0 for segment in self.segments]

    def at(self, at: Instant) -> Segment:
        """The segment in force at an instant; an instant equal to a change sees the new state.

        Raises :class:`~timeline.errors.TimeError` for what is no instant.
        """
        return self._segment(clock.instant(at))

    def between(self, start: Instant | None, end: Instant | None) -> tuple[Segment, ...]:
        """The segments clipped to ``[start, end)``; the first is what was in force at its start, ``unknown`` included.

        ``None`` is no bound: from the first evidence on, or to the open end.
        Raises :class:`~timeline.errors.TimeError`.
        """
        if start is None and not self.segments:
            return ()
        first = self._starts[0] if start is None else clock.instant(start)
        last = None if end is None else clock.instant(end)
        if last is not None and first >= last:
            return ()
        whole = [self._segment(first)]
        for segment in self.segments[bisect_right(self._starts, first) :]:
            if last is None or (segment.start is not None and segment.start < last):
                whole.append(segment)
        whole[0] = msgspec.structs.replace(whole[0], start=first)
        if last is not None:
            whole[-1] = msgspec.structs.replace(whole[-1], end=last)
        return tuple(whole)

    def diff(self, before: Instant, after: Instant) -> Diff:
        """What is different at ``after`` from what was at ``before``. Raises :class:`~timeline.errors.TimeError`."""
        old, new = self.at(before), self.at(after)
        both = sorted(old.fields.keys() & new.fields.keys())
        return Diff(
            changed={
                name: (old.fields[name], new.fields[name])
                for name in both
                if not _equal(old.fields[name], new.fields[name])
            },
            added={name: value for name, value in new.fields.items() if name not in old.fields},
            removed={name: value for name, value in old.fields.items() if name not in new.fields},
            existence=(old.existence, new.existence),
        )

    def explain(self, at: Instant, field: str) -> Explanation:
        """Why ``field`` has its value at an instant. Raises :class:`~timeline.errors.TimeError`."""
        instant = clock.instant(at)
        segment = self._segment(instant)
        if field not in segment.fields:
            return Explanation(
                field=field, collected=False, value=None, set_by=None, confirmed_by=0, last_confirmed=None
            )
        said = canonical(segment.fields[field])
        run = self._run(instant, field, said)
        since = run[0].start
        events = [
            event
            for event in self.events
            if since is not None and since <= event.occurred_at <= instant and event.phase is not Phase.DELETE
        ]
        taken_up = self._taken_up(run[0], events, field, said)
        saying = [event for event in events if _says(event, field, said)]
        set_by, *confirming = [taken_up, *saying] if taken_up is not None else saying
        return Explanation(
            field=field,
            collected=True,
            value=segment.fields[field],
            set_by=set_by,
            confirmed_by=len(confirming),
            last_confirmed=confirming[-1].occurred_at if confirming else None,
        )

    def last_fields(self, segment: Segment) -> Mapping[str, Json]:
        """The fields before the delete that a deleted segment tells of; none where it came first."""
        if segment.existence is not Existence.DELETED:
            return {}
        of_life = [each for each in self.segments if each.life == segment.life and each.existence is Existence.PRESENT]
        return of_life[-1].fields if of_life else {}

    @property
    def posthumous(self) -> tuple[Event, ...]:
        """The events after a delete that open no life: kept, and without effect."""
        flagged = []
        deleted = False
        for event in self.events:
            if event.phase is Phase.DELETE:
                deleted = True
            elif event.phase in GENESIS:
                deleted = False
            elif deleted:
                flagged.append(event)
        return tuple(flagged)

    def _segment(self, instant: int) -> Segment:
        index = bisect_right(self._starts, instant)
        if index:
            return self.segments[index - 1]
        end = self._starts[0] if self._starts else None
        return Segment(start=None, end=end, existence=Existence.UNKNOWN, life=0, born=None, fields={})

    def _run(self, instant: int, field: str, said: bytes) -> list[Segment]:
        """The segments up to an instant in which a field has had a value without a break, oldest first."""
        run: list[Segment] = []
        for segment in reversed(self.segments[: bisect_right(self._starts, instant)]):
            broken = bool(run) and segment.life != run[0].life
            if broken or field not in segment.fields or canonical(segment.fields[field]) != said:
                break
            run.insert(0, segment)
        return run

    def _taken_up(self, first: Segment, events: list[Event], field: str, said: bytes) -> Event | None:
        """The restore that opened the life with this value as the delete had found it, if one did."""
        restores = [event for event in events if event.phase is Phase.RESTORE and event.occurred_at == first.start]
        if first.born is not Birth.RESTORE or not restores or field in restores[0].body.spoken():
            return None
        before = replayed([event for event in self.events if order(event) < order(restores[0])])
        if before.existence is not Existence.DELETED or field not in before.kept:
            return None
        return restores[0] if bytes(before.kept[field]) == said else None


def _says(event: Event, field: str, said: bytes) -> bool:
    value = event.body.spoken().get(field)
    return value is not None and bytes(value) == said


def _equal(one: Json, other: Json) -> bool:
    # 1, 1.0 and true are equal to Python
    return canonical(one) == canonical(other)
