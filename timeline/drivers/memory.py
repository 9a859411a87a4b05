"""The reference: events in a dict, and every answer computed the long way.

It is here to be obviously right: what another driver answers is compared with what this one does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from secrets import token_hex
from threading import Lock

import msgspec

from timeline.drivers.contract import Appended, Damage, Driver, Problem, Summary
from timeline.drivers.limits import kept_note, within_limits
from timeline.errors import StoreError, StoreUrlError
from timeline.model import LIFE_BOUNDS, Event, Outcome, Phase, Quarantined, Resource, Scope, limits, order

Key = tuple[int, int, bytes]
"""Of the events of one resource: occurred_at, phase, digest of the body."""

_OPEN: dict[str, None] = {"outcome": None, "settled_at": None, "note": None}
"""What tells a record that is not settled."""


def open(url: str) -> MemoryDriver:
    """A driver on an empty store of its own, gone with it."""
    if url.lower() != "memory:":
        raise StoreUrlError("a store in memory has no name and no options: its URL is memory: and nothing more")
    return MemoryDriver()


class Memory:
    """What a store in memory holds; drivers that are given the same one share it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.events: dict[Resource, dict[Key, Event]] = {}
        self.bodies: set[bytes] = set()
        self.quarantine: dict[str, Quarantined] = {}
        self.name = token_hex(8)
        self.changes: list[set[Resource]] = []
        """Of each append that added events, the resources that they are of."""


class MemoryDriver(Driver):
    """A store in memory: always ready, and gone with the process."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._held = memory or Memory()
        self._closed = False

    @property
    def _memory(self) -> Memory:
        self._check_open()
        return self._held

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store was closed: open it again")

    def prepare(self) -> None:
        self._check_open()  # and no more: there is no schema

    def append(self, events: Iterable[Event]) -> Appended:
        given = within_limits(events)  # before anything is stored: the iterable may raise
        with self._memory.lock:
            known, new, changed = len(self._memory.bodies), 0, set()
            for event in given:
                of_resource = self._memory.events.setdefault(event.resource, {})
                key = (event.occurred_at, event.phase, event.body.digest)
                if key not in of_resource:
                    of_resource[key] = event
                    self._memory.bodies.add(event.body.digest)
                    changed.add(event.resource)
                    new += 1
            if changed:
                self._memory.changes.append(changed)
            return Appended(events=new, bodies=len(self._memory.bodies) - known, duplicates=len(given) - new)

    def events(
        self,
        which: Scope | Collection[Resource],
        *,
        until: int | None = None,
        known_before: int | None = None,
        last_per_body: bool = False,
    ) -> Iterator[Event]:
        with self._memory.lock:
            if isinstance(which, Scope):
                wanted = sorted(resource for resource in self._memory.events if resource in which)
            else:
                wanted = [resource for resource in dict.fromkeys(which) if resource in self._memory.events]
            snapshot = [list(self._memory.events[resource].values()) for resource in wanted]
        for events in snapshot:
            kept = [
                event
                for event in events
                if (until is None or event.occurred_at <= until)
                and (known_before is None or event.recorded_at < known_before)
            ]
            kept.sort(key=order)
            yield from _last_per_body(kept) if last_per_body else kept

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        with self._memory.lock:
            found = sorted(resource for resource in self._memory.events if resource in scope)
        return [resource for resource in found if after is None or resource > after][:limit]

    def version(self) -> str:
        with self._memory.lock:
            return self._version(len(self._memory.changes))

    def changed(self, since: str) -> Collection[Resource] | None:
        with self._memory.lock:
            versions = [self._version(changes) for changes in range(len(self._memory.changes) + 1)]
            if since not in versions:
                return None
            return set().union(*self._memory.changes[versions.index(since) :])

    def _version(self, changes: int) -> str:
        return f"{self._memory.name} {changes}"

    def summary(self) -> Summary:
        with self._memory.lock:
            events = [event for of_resource in self._memory.events.values() for event in of_resource.values()]
            bodies = {
                resource: len({event.body.digest for event in events.values()})
                for resource, events in self._memory.events.items()
            }
            stored = len(self._memory.bodies)
            records = list(self._memory.quarantine.values())
        many = [(resource, number) for resource, number in bodies.items() if number > limits.MANY_BODIES]
        return Summary(
            revision=None,
            resources=len(bodies),
            events=len(events),
            bodies=stored,
            first_event=min((event.occurred_at for event in events), default=None),
            last_event=max((event.occurred_at for event in events), default=None),
            newest_record=max((event.recorded_at for event in events), default=None),
            quarantined=dict(sorted(Counter(record.reason for record in records if record.outcome is None).items())),
            many_bodies=sorted(many, key=lambda pair: (-pair[1], pair[0])),
        )

    def close(self) -> None:
        self._closed = True

    def put(self, records: Iterable[Quarantined]) -> int | None:
        given = list(records)
        opened = 0
        with self._memory.lock:
            for record in given:
                known = self._memory.quarantine.get(record.id)
                if known is None:
                    self._memory.quarantine[record.id] = msgspec.structs.replace(record, **_OPEN)
                elif known.outcome is not None:
                    self._memory.quarantine[record.id] = msgspec.structs.replace(
                        known,
                        reason=record.reason,
                        detail=record.detail,
                        origin=record.origin,
                        place=record.place,
                        **_OPEN,
                    )
                else:
                    continue
                opened += 1
        return opened

    def check(self) -> Iterator[Problem]:
        with self._memory.lock:
            stored = [(resource, list(events.items())) for resource, events in self._memory.events.items()]
            bodies = set(self._memory.bodies)
        for resource, events in stored:
            for key, event in events:
                body = event.body.digest.hex()
                if event.body.digest not in bodies:
                    yield Problem(damage=Damage.BODY_MISSING, detail=f"the body {body} is not there", resource=resource)
                if sha256(event.body.data).digest() != event.body.digest:
                    yield Problem(
                        damage=Damage.BODY_DAMAGED,
                        detail=f"the body {body} has other bytes than its digest says",
                        resource=resource,
                    )
                if (event.resource, event.occurred_at, event.phase, event.body.digest) != (resource, *key):
                    yield Problem(
                        damage=Damage.ROW_DAMAGED,
                        detail=f"the event of {event.occurred_at} does not lie under its key",
                        resource=resource,
                    )

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        with self._memory.lock:
            records = [record for record in self._memory.quarantine.values() if settled or record.outcome is None]
        records.sort(key=_age)
        return [record for record in records if after is None or _age(record) > _age(after)][:limit]

    def find(self, id: str) -> Sequence[Quarantined]:
        with self._memory.lock:
            found = sorted(name for name in self._memory.quarantine if name.startswith(id))
            return [self._memory.quarantine[name] for name in found[:2]]

    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        settled = {"outcome": outcome, "settled_at": at, "note": kept_note(outcome, note)}
        with self._memory.lock:
            record = self._memory.quarantine.get(id)
            if record is not None and record.outcome is None:
                self._memory.quarantine[id] = msgspec.structs.replace(record, **settled)


def _last_per_body(events: Sequence[Event]) -> Sequence[Event]:
    """Of a resource's events in order: all that bound a life, and the last of each body; all if it was restored."""
    if any(event.phase is Phase.RESTORE for event in events):
        return events
    last = {event.body.digest: event.key for event in events if event.phase not in LIFE_BOUNDS}
    return [event for event in events if event.phase in LIFE_BOUNDS or last[event.body.digest] == event.key]


def _age(record: Quarantined) -> tuple[int, str]:
    return (record.received_at, record.id)
