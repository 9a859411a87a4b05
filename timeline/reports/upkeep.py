"""The shapes of what who keeps a store is told: of a copy, and of what is wrong. They are promises like the others."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from timeline.drivers.contract import Problem
from timeline.model import Event
from timeline.reports import formats, shapes
from timeline.reports.shapes import Shape

if TYPE_CHECKING:
    from timeline.engine.copying import Copied


def dump_line(event: Event) -> bytes:
    """An event as ``timeline export events --provenance`` writes it."""
    stream = BytesIO()
    formats.write_object(shapes.event(event, provenance=True), stream, lines=True)
    return stream.getvalue()


def copied(told: Copied) -> Shape:
    """What a copy did, and what the comparison found."""
    return {
        "events": told.events,
        "copied": told.copied,
        "missing": told.missing,
        "differing": told.differing,
        "extra": told.extra,
        "quarantined": told.quarantined,
        "quarantined_copied": told.quarantined_copied,
        "quarantined_missing": told.quarantined_missing,
        "quarantined_differing": told.quarantined_differing,
        "digest": told.digest,
        "target_digest": told.target_digest,
        "source_changed": told.source_changed,
        "verified": told.verified,
        "differences": [
            {"resource": shapes.resource(each.resource), "missing": each.missing, "differing": each.differing}
            for each in told.differences
        ],
    }


def problem(found: Problem) -> Shape:
    """A line of what is wrong in a store."""
    return {
        "problem": found.damage,
        "resource": None if found.resource is None else shapes.resource(found.resource),
        "detail": found.detail,
    }
