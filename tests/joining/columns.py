"""Samples as columns, and what the timelines say of each: the join row by row."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from timeline import engine
from timeline.definitions import Definitions
from timeline.engine import Engine
from timeline.model import Event, Existence, Segment, canonical

JSON = b"timeline:encoding"

DEFINITIONS = Definitions.read("""
- event_type: told
  resource: {type: instance, id: payload.id}
  traits: {x: payload.x, y: payload.y, m: {fields: payload.m, type: value}}
""")
"""What can be said in the histories."""


def engine_with(events: Sequence[Event]) -> Engine:
    """An engine on a store in memory that holds these events."""
    made = engine.open("memory:", definitions=DEFINITIONS)
    made.driver.append(events)
    return made


def samples(rows: Sequence[tuple[str | None, int | None]], **more: Sequence[Any]) -> pa.Table:
    """Samples of ids and times in microseconds."""
    return pa.table(
        {
            "resource_id": pa.array([id for id, _ in rows], pa.string()),
            "timestamp": pa.array([at for _, at in rows], pa.int64()),
            **more,
        }
    )


def segment(engine: Engine, type: str, id: str | None, at: int | None, **asked: Any) -> Segment:
    """What the timeline of a resource says."""
    if id is None or at is None:
        return Segment(start=None, end=None, existence=Existence.UNKNOWN, life=0, born=None, fields={})
    return engine.timeline(type, id, **asked).at(at)


def said(told: Segment, field: pa.Field) -> Any:
    """The value of a field as a column of this type shows it."""
    value = told.fields.get(field.name)
    if value is not None and (field.metadata or {}).get(JSON) == b"json":
        return canonical(value).decode()
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two values are one: 1, 1.0 and True are three."""
    return type(one) is type(other) and bool(one == other)
