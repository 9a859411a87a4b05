"""The shapes that programs read. They are promises: see the reference of the command line."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from timeline import clock
from timeline.model import Event, Existence, Quarantined, Resource, Segment, State

if TYPE_CHECKING:
    # a command that asks one floor need not wait until the others are loaded
    from timeline.definitions import Definition, SampleRule, Trial
    from timeline.engine import Counts, Summary
    from timeline.engine.quarantine import Counted
    from timeline.replay import Diff, Explanation, Timeline

Shape = Mapping[str, Any]
"""A JSON object; its keys stand in the order in which they are to be read."""


def resource(named: Resource) -> Shape:
    """``{"type", "id", "source"}``."""
    return {"type": named.type, "id": named.id, "source": named.source}


def show(timeline: Timeline, at: int) -> Shape:
    """The state at an instant, with the span in which it holds; of a deleted resource also the last fields."""
    segment = timeline.at(at)
    shape: dict[str, Any] = {
        "resource": resource(timeline.resource),
        "at": clock.format(at),
        "as_known_at": _time(timeline.as_known_at),
        "existence": segment.existence,
        "life": segment.life,
        "since": _time(segment.start),
        "until": _time(segment.end),
        "ambiguous": segment.ambiguous,
        "fields": segment.fields,
    }
    if segment.existence is Existence.DELETED:
        shape["last"] = timeline.last_fields(segment)
    return shape


def segment(part: Segment) -> Shape:
    """A line of a history."""
    return {
        "start": _time(part.start),
        "end": _time(part.end),
        "existence": part.existence,
        "life": part.life,
        "born": part.born,
        "ambiguous": part.ambiguous,
        "fields": part.fields,
    }


def diff(difference: Diff) -> Shape:
    """``{"changed": {field: [old, new]}, "added", "removed", "existence": [old, new]}``."""
    return {
        "changed": difference.changed,
        "added": difference.added,
        "removed": difference.removed,
        "existence": difference.existence,
    }


def explanation(told: Explanation) -> Shape:
    """Why a field has its value; ``value`` is absent where the field is not collected."""
    shape: dict[str, Any] = {"field": told.field}
    if told.collected:
        shape["value"] = told.value
    shape["set_by"] = None if told.set_by is None else _evidence(told.set_by)
    shape["confirmed_by"] = told.confirmed_by
    shape["last_confirmed"] = _time(told.last_confirmed)
    return shape


def state(of_resource: State) -> Shape:
    """A line of the resources."""
    return {
        "resource": resource(of_resource.resource),
        "existence": of_resource.existence,
        "fields": of_resource.fields,
    }


def counts(counted: Counts) -> Shape:
    """What became of notifications."""
    return msgspec.structs.asdict(counted)


def summary(store: str, held: Summary) -> Shape:
    """What a store holds."""
    return {
        "store": store,
        "revision": held.revision,
        "resources": held.resources,
        "events": held.events,
        "bodies": held.bodies,
        "first_event": _time(held.first_event),
        "last_event": _time(held.last_event),
        "newest_record": _time(held.newest_record),
        "quarantined": held.quarantined,
        "many_bodies": [{"resource": resource(named), "bodies": bodies} for named, bodies in held.many_bodies],
    }


def quarantined(record: Quarantined) -> Shape:
    """A line of the quarantine."""
    return {
        "id": record.id,
        "reason": record.reason,
        "origin": record.origin,
        "received_at": clock.format(record.received_at),
        "event_type": record.event_type,
        "message_id": record.message_id,
        "size": record.size,
    }


def quarantined_or_settled(record: Quarantined) -> Shape:
    """A line of the quarantine where settled records are listed too."""
    return {**quarantined(record), **_settled(record)}


def quarantined_in_full(record: Quarantined, place: str | None) -> Shape:
    """A quarantine record with what is wrong and where, how it was settled, and the message as far as it is text."""
    return {
        **quarantined(record),
        "detail": record.detail,
        "place": place,
        **_settled(record),
        "message": record.data.decode(errors="backslashreplace"),
    }


def quarantined_to_export(record: Quarantined, place: str | None) -> Shape:
    """A quarantine record with its whole message: as text, or in base64 where it is no UTF-8."""
    try:
        encoding, message = "text", record.data.decode()
    except UnicodeDecodeError:
        encoding, message = "base64", b64encode(record.data).decode()
    return {**quarantined_in_full(record, place), "encoding": encoding, "message": message}


def quarantine_count(counted: Counted) -> Shape:
    """How many quarantine records have one reason and event type."""
    return {"reason": counted.reason, "event_type": counted.event_type, "number": counted.number}


def quarantine_count_settled(counted: Counted) -> Shape:
    """The same where settled records are counted too."""
    return {**quarantine_count(counted), "outcome": counted.outcome}


def _settled(record: Quarantined) -> Shape:
    return {"outcome": record.outcome, "settled_at": _time(record.settled_at), "note": record.note}


def event(stored: Event, *, provenance: bool) -> Shape:
    """A line of the canonical dump: the key of an event and its body, and its provenance where that is asked for."""
    shape: dict[str, Any] = {
        "type": stored.resource.type,
        "source": stored.resource.source,
        "id": stored.resource.id,
        "occurred_at": clock.format(stored.occurred_at),
        "phase": stored.phase.name.lower(),
        "body": msgspec.Raw(stored.body.data),
    }
    if provenance:
        shape["event_type"] = stored.event_type
        shape["message_id"] = stored.message_id
        shape["recorded_at"] = clock.format(stored.recorded_at)
    return shape


def definition(place: str, defined: Definition) -> Shape:
    """A line of the definitions."""
    return {
        "event_type": [*defined.included, *(f"!{glob}" for glob in defined.excluded)],
        "resource": None if defined.resource is None else defined.resource.type,
        "phase": [rule.phase.name.lower() for rule in defined.phases],
        "version": defined.version,
        "fields": list(defined.fields),
        "volatile": [trait.name for trait in defined.traits if trait.volatile],
        "place": place,
    }


def sample_rule(place: str, rule: SampleRule) -> Shape:
    """A line of the sample rules."""
    return {
        "meter": [*rule.included, *(f"!{glob}" for glob in rule.excluded)],
        "type": rule.type,
        "id": None if rule.id is None else rule.id.pattern,
        "cumulative": rule.cumulative,
        "place": place,
    }


def trial(tried: Trial) -> Shape:
    """What a notification in scope would become, for one resource."""
    return {
        "outcome": "in_scope",
        "definition": tried.definition,
        "event_type": tried.event.event_type,
        "message_id": tried.event.message_id,
        "resource": resource(tried.event.resource),
        "occurred_at": clock.format(tried.event.occurred_at),
        "phase": tried.event.phase.name.lower(),
        "fields": tried.event.body.fields(),
        "volatile": tried.volatile,
        "unreadable": tried.unreadable,
    }


def _evidence(stored: Event) -> Shape:
    return {
        "event_type": stored.event_type,
        "message_id": stored.message_id,
        "occurred_at": clock.format(stored.occurred_at),
        "recorded_at": clock.format(stored.recorded_at),
    }


def _time(instant: int | None) -> str | None:
    return None if instant is None else clock.format(instant)
