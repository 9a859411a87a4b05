"""Whether a store holds what was confirmed to the publisher: nothing lost, nothing doubled, nothing invented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import NamedTuple

import timeline
from timeline.engine import Engine
from timeline.model import Event, Resource, Segment
from timeline.reports import formats, shapes


class Verdict(NamedTuple):
    """What is wrong with a store; all is empty where nothing is."""

    lost: list[str]
    """Events and quarantined messages that have to be there, and are not."""
    doubled: list[str]
    """Those that are there more than once."""
    invented: list[str]
    """Those that nobody has sent."""
    wrong: list[str]
    """Resources whose timeline is not that of a clean run."""

    @property
    def is_right(self) -> bool:
        return not any(self)

    def __str__(self) -> str:
        return "; ".join(f"{name} {len(found)}: {found[:3]}" for name, found in self._asdict().items() if found)


def check(store: str | Engine, confirmed: Iterable[bytes], *, also: Iterable[bytes] = ()) -> Verdict:
    """Compare a store with what a clean run of the confirmed messages leaves.

    What is in ``also`` may be there or not: it was sent, and nobody knows whether the broker has taken it.
    """
    if isinstance(store, str):
        with timeline.open(store) as engine:
            return check(engine, confirmed, also=also)
    found = _held(store)
    with timeline.open("memory:") as clean:
        clean.ingest(confirmed)
        owed = {*_held(clean)}
        clean.ingest(also)
        possible = {*_held(clean)}
        wrong = [] if possible != owed else _differing(store, clean)
    return Verdict(
        lost=sorted(owed - {*found}),
        doubled=sorted(each for each, times in Counter(found).items() if times > 1),
        invented=sorted({*found} - possible),
        wrong=wrong,
    )


def assert_right(store: str | Engine, confirmed: Iterable[bytes], *, also: Iterable[bytes] = ()) -> None:
    """Fail, and say what is wrong with the store, unless nothing is."""
    verdict = check(store, [*confirmed], also=[*also])
    assert verdict.is_right, str(verdict)


def dump(engine: Engine) -> list[str]:
    """The canonical dump, line by line."""
    return [_line(event) for event in engine.events()]


def _held(engine: Engine) -> list[str]:
    quarantined = [f"quarantined {record.id} {record.reason}" for record in engine.quarantined()]
    return dump(engine) + quarantined


def _line(event: Event) -> str:
    line = BytesIO()
    formats.write_object(shapes.event(event, provenance=False), line, lines=True)
    return line.getvalue().decode()


def _differing(engine: Engine, clean: Engine) -> list[str]:
    """The resources of which the two tell other timelines."""
    resources = {event.resource for each in (engine, clean) for event in each.events()}
    return sorted(str(resource) for resource in resources if _segments(engine, resource) != _segments(clean, resource))


def _segments(engine: Engine, resource: Resource) -> Sequence[Segment]:
    return engine.timeline(resource.type, resource.id, source=resource.source).segments
