"""Answers in rows: which columns an answer has, and what stands in each.

The columns before the fields are the same for every answer of a command. The fields are those that its rows have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from timeline.model import Event, Json, Quarantined, Segment, State
from timeline.reports import shapes
from timeline.reports.shapes import Shape

if TYPE_CHECKING:
    from timeline.definitions import Definition, SampleRule
    from timeline.engine.quarantine import Counted

Told = TypeVar("Told")

Cell = str | int | Sequence[str] | None
"""What stands in a column before the fields; a time is microseconds since 1970 UTC."""

NULLS = "nulls"
"""The column that tells, where a missing value and ``null`` look alike, which fields were said to be ``null``."""

_PREFIX = "fields."


class Holds(StrEnum):
    """What a column holds."""

    TEXT = "text"
    TEXTS = "texts"
    NUMBER = "number"
    """Whole numbers within int64."""
    TIME = "time"
    JSON = "json"
    """The canonical text of a value."""


class Layout(NamedTuple, Generic[Told]):
    """How things of one kind are told: each as a JSON object, or in a row."""

    shape: Callable[[Told], Shape]
    columns: Mapping[str, Holds]
    """The columns before the fields, in their order."""
    cells: Callable[[Told], tuple[Cell, ...]]
    """What stands in these columns."""
    fields: Callable[[Told], Mapping[str, Json]] | None = None
    """The fields, each of which has a column; ``None`` where there are none."""

    def column(self, field: str) -> str:
        """The column of a field: its name, after ``fields.`` where another column has that name."""
        if field in self.columns or field == NULLS or field.startswith(_PREFIX):
            return _PREFIX + field
        return field


def _state(told: State) -> tuple[Cell, ...]:
    return (told.resource.type, told.resource.source, told.resource.id, told.existence)


def _segment(told: Segment) -> tuple[Cell, ...]:
    return (told.start, told.end, told.existence, told.life, told.born, told.ambiguous)


def _quarantined(told: Quarantined) -> tuple[Cell, ...]:
    return (told.id, told.reason, told.origin, told.received_at, told.event_type, told.message_id, told.size)


RESOURCES = Layout[State](
    shapes.state,
    {"type": Holds.TEXT, "source": Holds.TEXT, "id": Holds.TEXT, "existence": Holds.TEXT},
    _state,
    lambda told: told.fields,
)

HISTORY = Layout[Segment](
    shapes.segment,
    {
        "start": Holds.TIME,
        "end": Holds.TIME,
        "existence": Holds.TEXT,
        "life": Holds.NUMBER,
        "born": Holds.TEXT,
        "ambiguous": Holds.TEXTS,
    },
    _segment,
    lambda told: told.fields,
)

QUARANTINE = Layout[Quarantined](
    shapes.quarantined,
    {
        "id": Holds.TEXT,
        "reason": Holds.TEXT,
        "origin": Holds.TEXT,
        "received_at": Holds.TIME,
        "event_type": Holds.TEXT,
        "message_id": Holds.TEXT,
        "size": Holds.NUMBER,
    },
    _quarantined,
)


def _settled(told: Quarantined) -> tuple[Cell, ...]:
    return (*_quarantined(told), told.outcome, told.settled_at, told.note)


QUARANTINE_SETTLED = Layout[Quarantined](
    shapes.quarantined_or_settled,
    {**QUARANTINE.columns, "outcome": Holds.TEXT, "settled_at": Holds.TIME, "note": Holds.TEXT},
    _settled,
)


def quarantine_counts(*, settled: bool) -> Layout[Counted]:
    """How many quarantine records there are of each kind; ``settled`` where the settled ones are counted too."""

    def cells(told: Counted) -> tuple[Cell, ...]:
        return (told.reason, told.event_type, told.number, *((told.outcome,) if settled else ()))

    columns = {"reason": Holds.TEXT, "event_type": Holds.TEXT, "number": Holds.NUMBER}
    if settled:
        columns["outcome"] = Holds.TEXT
    return Layout(shapes.quarantine_count_settled if settled else shapes.quarantine_count, columns, cells)


def events(*, provenance: bool) -> Layout[Event]:
    """The canonical dump; of a body the version and, as JSON, the fields: they are what one message said, no state."""

    def cells(told: Event) -> tuple[Cell, ...]:
        resource, body = told.resource, told.body
        version = body.version
        fields = body.data[len(b'{"f":') : -len(b',"v":%d}' % version)].decode()
        key = (resource.type, resource.source, resource.id, told.occurred_at, told.phase.name.lower(), version, fields)
        return (*key, told.event_type, told.message_id, told.recorded_at) if provenance else key

    columns = {
        "type": Holds.TEXT,
        "source": Holds.TEXT,
        "id": Holds.TEXT,
        "occurred_at": Holds.TIME,
        "phase": Holds.TEXT,
        "version": Holds.NUMBER,
        "fields": Holds.JSON,
    }
    if provenance:
        columns |= {"event_type": Holds.TEXT, "message_id": Holds.TEXT, "recorded_at": Holds.TIME}
    return Layout(partial(shapes.event, provenance=provenance), columns, cells)


def definitions(place: Callable[[Definition], str]) -> Layout[Definition]:
    """The definitions; ``place`` tells where each stands."""

    def shape(told: Definition) -> Shape:
        return shapes.definition(place(told), told)

    columns = {
        "event_type": Holds.TEXTS,
        "resource": Holds.TEXT,
        "phase": Holds.TEXTS,
        "version": Holds.NUMBER,
        "fields": Holds.TEXTS,
        "volatile": Holds.TEXTS,
        "place": Holds.TEXT,
    }
    return Layout(shape, columns, lambda told: tuple(shape(told).values()))


def sample_rules(place: Callable[[SampleRule], str]) -> Layout[SampleRule]:
    """The sample rules; ``place`` tells where each stands."""

    def shape(told: SampleRule) -> Shape:
        return shapes.sample_rule(place(told), told)

    def cells(told: SampleRule) -> tuple[Cell, ...]:
        return (*tuple(shape(told).values())[:3], "true" if told.cumulative else "false", place(told))

    columns = {
        "meter": Holds.TEXTS,
        "type": Holds.TEXT,
        "id": Holds.TEXT,
        "cumulative": Holds.JSON,
        "place": Holds.TEXT,
    }
    return Layout(shape, columns, cells)
