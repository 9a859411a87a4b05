"""A store copied into another: what is not there yet is appended, and then both sides are compared.

Both stores tell their events in one order, so a walk along the two at the same time finds what one of them lacks. The
copy is such a walk, and so is the comparison: neither holds more than a batch, and to go on with a copy that was broken
off is to run it again, which passes over what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from timeline.drivers.contract import Driver
from timeline.model import Event, Quarantined, Resource, Scope, order

T = TypeVar("T")

BATCH, BATCH_BYTES = 4_000, 8 * 1024 * 1024
"""Events that are appended in one transaction at the most, and the bytes of their bodies."""
PAGE = 8
"""Quarantine records that are held at once: each may be as long as a notification."""
NAMED = 10
"""Resources that differ which are named."""
_TOLD = 1_000
"""Events after which progress is told."""


class Stage(StrEnum):
    """What a copy is at."""

    COPYING = "copying"
    COMPARING = "comparing"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A resource whose events are not the same on both sides."""

    resource: Resource
    missing: int
    """Events that the target does not have."""
    differing: int
    """Events that the target has with another provenance."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy did, and what the comparison found. Where events are counted, they are those of the source."""

    events: int
    copied: int
    """Events that this copy stored; the rest were there."""
    missing: int
    """Events that the target does not have after the copy."""
    differing: int
    """Events that the target had with the provenance of another delivery, and has still."""
    extra: int
    """Events that the target alone has."""
    quarantined: int
    """Quarantine records of the source, settled ones included."""
    quarantined_copied: int
    quarantined_missing: int
    quarantined_differing: int
    """Records that the target had already, and tells otherwise."""
    digest: str
    """The SHA-256 of the source's canonical dump with provenance, in hexadecimal."""
    target_digest: str
    """The same of the target: equal where both hold the same events and no others."""
    source_changed: bool
    """Whether events were added to the source meanwhile."""
    differences: list[Difference]
    """The first resources of which events are missing or differ."""

    @property
    def verified(self) -> bool:
        """Whether the target holds all of the source: each event as it is there, and each quarantined message."""
        return not (self.missing or self.differing or self.quarantined_missing)


Progress = Callable[[Stage, int], None]
"""Called with what is being done and the number of the source's events for which it is done."""


def copy(source: Driver, target: Driver, *, line: Callable[[Event], bytes], progress: Progress | None = None) -> Copied:
    """Copy all events with their provenance, and all quarantine records, and compare what both stores hold then.

    ``line`` spells an event as a line of the canonical dump with provenance. The target may hold other events: they
    stay, and are counted. An event that it holds from a delivery of its own keeps that provenance, and differs.

    Raises :class:`~timeline.errors.StoreError`; what was copied before stays, and running it again goes on.
    """
    version = source.version()
    target.version()  # if there is no store, it is said before anything is read
    told = progress or (lambda stage, events: None)
    copied = _copy_events(source, target, told)
    quarantined_copied = _copy_records(source, target)
    compared = _Comparison(line)
    compared.events_of(source, target, told)
    compared.records_of(source, target)
    return Copied(
        events=compared.events,
        copied=copied,
        missing=compared.missing,
        differing=compared.differing,
        extra=compared.extra,
        quarantined=compared.records,
        quarantined_copied=quarantined_copied,
        quarantined_missing=compared.records_missing,
        quarantined_differing=compared.records_differing,
        digest=compared.digest.hexdigest(),
        target_digest=compared.target_digest.hexdigest(),
        source_changed=source.version() != version,
        differences=[
            Difference(resource=resource, missing=missing, differing=differing)
            for resource, (missing, differing) in compared.differences.items()
        ],
    )


def _copy_events(source: Driver, target: Driver, told: Progress) -> int:
    """How many were not there."""
    copied = 0
    for batch in _batches(_missing(source, target, told), BATCH, lambda event: len(event.body.data)):
        target.append(batch)
        copied += len(batch)
    return copied


def _missing(source: Driver, target: Driver, told: Progress) -> Iterator[Event]:
    walked = 0
    for ours, theirs in _side_by_side(source.events(Scope()), target.events(Scope()), _place):
        if ours is None:
            continue
        if theirs is None:
            yield ours
        walked += 1
        if walked % _TOLD == 0:
            told(Stage.COPYING, walked)


def _copy_records(source: Driver, target: Driver) -> int:
    """How many were not there, or otherwise than in the source."""
    both = _side_by_side(_records(source), _records(target), _age)
    wanting = (ours for ours, theirs in both if ours is not None and ours != theirs)
    copied = 0
    for batch in _batches(wanting, PAGE, lambda record: len(record.data)):
        # a record is put open and settled again: where this breaks off in between, the next copy settles it
        target.put(batch)
        for record in batch:
            if record.outcome is not None and record.settled_at is not None:
                target.settle(record.id, record.outcome, record.settled_at, record.note)
        copied += len(batch)
    return copied


class _Comparison:
    """Two stores side by side."""

    def __init__(self, line: Callable[[Event], bytes]) -> None:
        self._line = line
        self.digest, self.target_digest = sha256(), sha256()
        self.events = self.missing = self.differing = self.extra = 0
        self.records = self.records_missing = self.records_differing = 0
        self.differences: dict[Resource, tuple[int, int]] = {}

    def events_of(self, source: Driver, target: Driver, told: Progress) -> None:
        """Compare the events, and count."""
        for ours, theirs in _side_by_side(source.events(Scope()), target.events(Scope()), _place):
            said = None if ours is None else self._line(ours)
            if theirs is not None:
                same = said is not None and ours == theirs
                self.target_digest.update(said if same and said is not None else self._line(theirs))
            if ours is None or said is None:
                self.extra += 1
                continue
            self.digest.update(said)
            self.events += 1
            if theirs is None:
                self.missing += 1
                self._note(ours.resource, missing=1)
            elif ours != theirs:
                self.differing += 1
                self._note(ours.resource, differing=1)
            if self.events % _TOLD == 0:
                told(Stage.COMPARING, self.events)

    def records_of(self, source: Driver, target: Driver) -> None:
        """Compare the quarantine, and count."""
        for ours, theirs in _side_by_side(_records(source), _records(target), _age):
            if ours is None:
                continue
            self.records += 1
            if ours == theirs:
                continue
            # the target may have had the same message from a delivery of its own, at another time
            if any(found.id == ours.id for found in target.find(ours.id)):
                self.records_differing += 1
            else:
                self.records_missing += 1

    def _note(self, resource: Resource, *, missing: int = 0, differing: int = 0) -> None:
        if resource in self.differences or len(self.differences) < NAMED:
            before = self.differences.get(resource, (0, 0))
            self.differences[resource] = (before[0] + missing, before[1] + differing)


def _side_by_side(
    ours: Iterable[T], theirs: Iterable[T], key: Callable[[T], Any]
) -> Iterator[tuple[T | None, T | None]]:
    """What is on both sides, each in the order of its key: a pair for each key, ``None`` where a side has it not."""
    left, right = iter(ours), iter(theirs)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None:
            yield one, None
            one = next(left, None)
        elif one is None:
            yield None, other
            other = next(right, None)
        else:
            its, others = key(one), key(other)
            if its < others:
                yield one, None
                one = next(left, None)
            elif others < its:
                yield None, other
                other = next(right, None)
            else:
                yield one, other
                one, other = next(left, None), next(right, None)


def _batches(items: Iterable[T], most: int, size: Callable[[T], int]) -> Iterator[list[T]]:
    batch: list[T] = []
    held = 0
    for item in items:
        batch.append(item)
        held += size(item)
        if len(batch) >= most or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _records(driver: Driver) -> Iterator[Quarantined]:
    after = None
    while page := driver.list(after=after, limit=PAGE, settled=True):
        yield from page
        after = page[-1]


def _place(event: Event) -> tuple[Resource, tuple[int, int, int, bytes]]:
    return (event.resource, order(event))


def _age(record: Quarantined) -> tuple[int, str]:
    return (record.received_at, record.id)
