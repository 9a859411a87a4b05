"""A definition at work: from a notification to events."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from timeline import clock
from timeline.definitions.definition import EMPTY, Definition, PhaseRule, first_value
from timeline.definitions.paths import Path
from timeline.definitions.plugins import MISSING
from timeline.definitions.rows import grouped
from timeline.definitions.traits import first_spoken
from timeline.errors import NotificationError, TimeError
from timeline.model import Body, Event, Json, Notification, Phase, Resource, canonical, has_float, limits

_log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder(order="sorted").encode

# The names at the top of a message that are the same in both views of it.
_IN_BOTH_VIEWS = frozenset({"event_type", "item", "payload", "priority", "publisher_id"})


_SURELY_SHORT = limits.ID_BYTES // 4
"""Characters of a text that is within the limit, whatever they are: one takes four bytes at most."""


class Extractor:
    """Makes the events of the notifications of one event type, as one definition reads them."""

    def __init__(self, definition: Definition, default_phase: Phase, place: str) -> None:
        if definition.resource is None:
            raise ValueError("a definition without a resource makes no events")
        self.definition = definition
        self._rule = definition.resource
        self._phases = definition.phases
        self._default = PhaseRule(phase=default_phase)
        self._occurred_at = definition.occurred_at
        self._place = place
        self._logged: set[str] = set()
        self._rows, self._others = grouped(definition.fields)
        # nearly all ids are a short text at one plain path, and nearly all sites have one source
        self._id_keys = definition.resource.id[0].keys if not definition.resource.source else None
        self._the_id = f"the id of the {definition.resource.type}"
        self._the_source = f"the source of the {definition.resource.type}"
        self._suffix = b',"v":%d}' % definition.version
        self._needs_views = _needs_views(definition)

    def events(self, notification: Notification, recorded_at: int) -> tuple[list[Event], int]:
        """What a notification says, an event per resource, and how many fields it has that could not be read.

        Raises :class:`NotificationError` with one of the reasons ``no-resource-id``, ``unreadable-resource-id``,
        ``payload-not-a-map``, ``id-too-long``, ``no-time``, ``unreadable-time``, ``body-too-long``.
        """
        message = notification.both_views() if self._needs_views else notification.message
        unreadable = 0
        events: list[Event] = []
        items = self.items(notification, message)
        try:
            for item in items:
                resource = self.resource(notification, item)
                phase, occurred_at = self.moment(notification, item)
                fields, floating, failures = self.fields(item)
                if failures:
                    unreadable += len(failures)
                    self._report(failures)
                events.append(
                    Event(
                        resource,
                        occurred_at,
                        phase,
                        self._body(fields, floating),
                        recorded_at,
                        notification.event_type,
                        notification.message_id,
                    )
                )
        except NotificationError as error:
            if self._rule.each and error.place is not None:
                error.place += f" of item {len(events)}"
            raise
        return events, unreadable

    def items(self, notification: Notification, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The message as it is for each of the resources that it speaks of."""
        if not self._rule.each:
            return (message,)
        for path in self._rule.each:
            # the path may find the list of resources, or each of them
            found = [value for value in path.values(message) if value not in (None, "")]
            items = [item for value in found for item in (value if isinstance(value, list) else [value])]
            if items:
                return [{**message, "item": item} for item in items]
        raise self._no_resource(notification, "the list of resources", self._rule.each)

    def resource(self, notification: Notification, message: Mapping[str, Any]) -> Resource:
        """The resource that a message speaks of. Raises :class:`NotificationError`."""
        rule = self._rule
        if self._id_keys is not None:
            value: Any = message
            for key in self._id_keys:
                value = value.get(key) if type(value) is dict else None
            if type(value) is str and 0 < len(value) <= _SURELY_SHORT:
                return Resource(type=rule.type, source="", id=value)
        identity = first_value(rule.id, message)
        if identity is MISSING:
            raise self._no_resource(notification, self._the_id, rule.id)
        source = first_value(rule.source, message) if rule.source else MISSING
        return Resource(
            type=rule.type,
            source=(
                "" if source is MISSING else _name(source, self._the_source, limits.NAME_BYTES, rule.source, message)
            ),
            id=_name(identity, self._the_id, limits.ID_BYTES, rule.id, message),
        )

    def moment(self, notification: Notification, message: Mapping[str, Any]) -> tuple[Phase, int]:
        """The phase and the time of what a message says. Raises :class:`NotificationError`."""
        rule = self._default
        for conditional in self._phases:
            if conditional.holds(message):
                rule = conditional
                break
        paths = rule.occurred_at or self._occurred_at
        spelled = first_value(paths, message, EMPTY) if paths else notification.timestamp
        if spelled is MISSING or spelled in EMPTY:
            where = _any_of(paths) if paths else "timestamp"
            raise NotificationError("no-time", f"{where} is missing or empty, so nobody knows when it happened", where)
        try:
            return rule.phase, clock.parse(spelled)
        except TimeError as error:
            where = _where(paths, message) if paths else "timestamp"
            raise NotificationError("unreadable-time", str(error), where) from None

    def fields(self, message: Mapping[str, Any]) -> tuple[dict[str, Json], list[Json], dict[str, ValueError]]:
        """The fields that a message speaks of, and those that could not be read, with the reason.

        Between them, the values in which a float may stand.
        """
        fields: dict[str, Json] = {}
        floating: list[Json] = []
        failures: dict[str, ValueError] = {}
        for rows in self._rows:
            rows.read(message, fields, floating, failures)
        for name, traits in self._others:
            try:
                value = first_spoken(traits, message)
            except ValueError as error:
                failures[name] = error
                continue
            if value is not MISSING:
                fields[name] = value
                floating.append(value)
        return fields, floating, failures

    def _body(self, fields: dict[str, Json], floating: list[Json]) -> Body:
        # the two spellings are one, but for floats: see model.canonical
        said = canonical(fields) if floating and has_float(floating) else _encode(fields)
        data = b"".join((b'{"f":', said, self._suffix))
        if len(data) > limits.BODY_BYTES:
            raise NotificationError(
                "body-too-long", f"the fields take {len(data)} bytes; at most {limits.BODY_BYTES} do"
            )
        return Body(data, sha256(data).digest())

    def _no_resource(self, notification: Notification, what: str, paths: Sequence[Path]) -> NotificationError:
        if not isinstance(notification.payload, dict):
            return NotificationError("payload-not-a-map", f"the payload is no map, so {what} is missing", "payload")
        where = _any_of(paths)
        return NotificationError("no-resource-id", f"{what} is missing: nothing at {where}", where)

    def _report(self, failures: Mapping[str, ValueError]) -> None:
        for name, error in failures.items():
            if name not in self._logged:
                self._logged.add(name)
                _log.warning("%s: the field %r is left out where it cannot be read: %s", self._place, name, error)


def _needs_views(definition: Definition) -> bool:
    rule = definition.resource
    # what is volatile is read only when a person asks
    said = (trait for trait in definition.traits if not trait.volatile)
    paths = [*definition.occurred_at, *(path for trait in said for path in trait.paths)]
    if rule is not None:
        paths += [*rule.id, *rule.source, *rule.each]
    for phase in definition.phases:
        paths += [*phase.occurred_at, *((phase.when,) if phase.when else ())]
    return any(path.keys is None or path.keys[0] not in _IN_BOTH_VIEWS for path in paths)


def _name(value: Json, what: str, most: int, paths: Sequence[Path], message: Mapping[str, Any]) -> str:
    if type(value) is not str and type(value) is not int:
        detail = f"{what} is neither a text nor a whole number"
        raise NotificationError("unreadable-resource-id", detail, _where(paths, message))
    name = str(value)
    if len(name) * 4 > most and len(name.encode()) > most:
        raise NotificationError("id-too-long", f"{what} is longer than {most} bytes", _where(paths, message))
    return name


def _where(paths: Sequence[Path], message: Mapping[str, Any]) -> str:
    """The path at which the value was found that is read first."""
    return next(path.text for path in paths if first_value((path,), message, EMPTY) is not MISSING)


def _any_of(paths: Sequence[Path]) -> str:
    return " or ".join(path.text for path in paths)
