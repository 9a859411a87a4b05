"""Whether a process that consumes is well, and whether it is ready: from what it and its workers tell."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from timeline.metrics.numbers import Standing, Told

STUCK_AFTER = 60.0
"""Seconds after which a run loop that has not turned is stuck. It turns several times a second, work or none."""


def faults(told: Sequence[Told], *, stuck_after: float = STUCK_AFTER) -> list[str]:
    """Why the process should be started again, one sentence for each worker that is stuck; none where all is well.

    A worker that does not run is no fault: it is being started again.
    """
    now = monotonic()
    return [
        f"{_who(place, told)}the run loop has not turned for {now - each.standing.turned:.0f} s"
        for place, each in enumerate(told, 1)
        if each.standing.alive and now - each.standing.turned > stuck_after
    ]


def obstacles(told: Sequence[Told]) -> list[str]:
    """Why messages are not being stored now, one sentence for each worker that is not ready; none where all are."""
    return [
        f"{_who(place, told)}{obstacle}"
        for place, each in enumerate(told, 1)
        if (obstacle := _obstacle(each.standing)) is not None
    ]


def _obstacle(standing: Standing) -> str | None:
    if not standing.alive:
        return "the process does not run"
    if not standing.connected:
        return "not subscribed to the bus"
    if not standing.store_available:
        return "the store has not answered"
    return None


def _who(place: int, told: Sequence[Told]) -> str:
    return f"worker {place}: " if len(told) > 1 else ""
