"""Histories to store: made by hand, and made by chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from timeline.model import LIFE_BOUNDS, Body, Event, Phase, Resource, Scope, order

try:
    from hypothesis import strategies
except ModuleNotFoundError as error:  # it is no dependency of the package
    raise ModuleNotFoundError(
        "the conformance kit needs hypothesis: pip install 'resource-timeline[test]'", name="hypothesis"
    ) from error

VM = Resource(type="instance", id="9f9d01b9-4a58-4271-9e27-398b21ab20d1")
UPDATED = "compute.instance.update"


def event(
    at: int,
    says: object = "small",
    *,
    of: Resource = VM,
    phase: Phase = Phase.UPDATE,
    version: int = 0,
    recorded_at: int | None = None,
    event_type: str = UPDATED,
    message_id: str | None = None,
) -> Event:
    """An event at an instant; it is learnt at the same instant unless told otherwise."""
    body = Body.of({"flavor": says}, version)
    return Event(of, at, phase, body, at if recorded_at is None else recorded_at, event_type, message_id)


def number(n: int) -> Resource:
    """The n-th of many resources; their order is that of the numbers."""
    return Resource(type="instance", source="north", id=f"{n:06}")


def wanted(
    events: Iterable[Event],
    which: Scope | None = None,
    *,
    until: int | None = None,
    known_before: int | None = None,
) -> list[Event]:
    """What a store that was given these events, in this order, has to answer, the long way."""
    first: dict[object, Event] = {}
    for one in events:
        first.setdefault(one.key, one)
    kept = [
        one
        for one in first.values()
        if (which is None or one.resource in which)
        and (until is None or one.occurred_at <= until)
        and (known_before is None or one.recorded_at < known_before)
    ]
    return sorted(kept, key=lambda one: (one.resource, order(one)))


def needed(events: Sequence[Event]) -> list[Event]:
    """Of events in order: all of restored resources; of others what bounds a life, and the last of each body."""
    restored = {one.resource for one in events if one.phase is Phase.RESTORE}
    last = {(one.resource, one.body.digest): one.key for one in events if one.phase not in LIFE_BOUNDS}
    return [
        one
        for one in events
        if one.resource in restored or one.phase in LIFE_BOUNDS or last[one.resource, one.body.digest] == one.key
    ]


# Few times, bodies and resources: what is interesting happens where they meet.
_TIMES = strategies.integers(-3, 3)
_EVENTS = strategies.builds(
    event,
    _TIMES,
    strategies.sampled_from(["small", "large", None]),
    of=strategies.sampled_from([number(1), number(2), VM]),
    phase=strategies.sampled_from(Phase),
    version=strategies.sampled_from([0, 0, 1, 10]),
    recorded_at=_TIMES,
    event_type=strategies.sampled_from([UPDATED, "compute.instance.exists"]),
    message_id=strategies.sampled_from([None, "one", "two"]),
)

HISTORIES = strategies.lists(strategies.lists(_EVENTS, max_size=8), max_size=4)
"""Batches of events in some order, duplicates included."""

BOUNDS = strategies.none() | _TIMES


def in_source(source: str, batches: Iterable[Iterable[Event]]) -> list[list[Event]]:
    """The same history of resources in another source, so that many histories can share one store."""
    return [
        [msgspec.structs.replace(one, resource=msgspec.structs.replace(one.resource, source=source)) for one in batch]
        for batch in batches
    ]
