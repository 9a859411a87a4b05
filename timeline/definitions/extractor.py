"""A definition made fast: from a notification to events.

Nearly all traits are one plain path, and nearly all of those stand in the same map. So they are grouped by that map,
which is found once; what is left for each is one look-up and one comparison of types.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from timeline import clock
from timeline.definitions.definition import Definition, PhaseRule, first_value
from timeline.definitions.plugins import MISSING
from timeline.definitions.traits import Converter, Trait, first_spoken
from timeline.errors import NotificationError, TimeError
from timeline.model import Body, Event, Json, Notification, Phase, Resource, canonical, has_float, limits

_log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder(order="sorted").encode

# The names at the top of a message that are the same in both views of it.
_IN_BOTH_VIEWS = frozenset({"event_type", "item", "payload", "priority", "publisher_id"})

_Row = tuple[str, str, type | None, Converter | None]
"""A field, its key, the type of values that need no conversion, and the conversion of the others."""


class Extractor:
    """Makes the events of the notifications of one event type, as one definition reads them."""

    def __init__(self, definition: Definition, default_phase: Phase, place: str) -> None:
        if definition.resource is None:
            raise ValueError("a definition without a resource makes no events")
        self.definition = definition
        self._rule = definition.resource
        self._phases: tuple[PhaseRule, ...] = (*definition.phases, PhaseRule(phase=default_phase))
        self._place = place
        self._logged: set[str] = set()
        self._groups: tuple[tuple[tuple[str, ...], tuple[_Row, ...]], ...]
        self._others: tuple[tuple[str, tuple[Trait, ...]], ...]
        self._groups, self._others = _grouped(definition.fields)
        self._suffix = b',"v":%d}' % definition.version
        self._needs_views = _needs_views(definition)

    def events(self, notification: Notification, recorded_at: int) -> tuple[list[Event], int]:
        """What a notification says, an event per resource, and how many fields it has that could not be read.

        Raises :class:`NotificationError` with one of the reasons ``no-resource-id``, ``unreadable-resource-id``,
        ``payload-not-a-map``, ``id-too-long``, ``no-time``, ``unreadable-time``, ``body-too-long``.
        """
        message = self.view(notification)
        unreadable = 0
        events = []
        for item in self.items(notification, message):
            resource = self.resource(notification, item)
            phase, occurred_at = self.moment(notification, item)
            fields, failures = self.fields(item)
            if failures:
                unreadable += len(failures)
                self._report(failures)
            events.append(
                Event(
                    resource,
                    occurred_at,
                    phase,
                    self._body(fields),
                    recorded_at,
                    notification.event_type,
                    notification.message_id,
                )
            )
        return events, unreadable

    def view(self, notification: Notification) -> Mapping[str, Any]:
        """The message in the view that the paths of this definition need."""
        if self._needs_views:
            return notification.both_views()
        return notification.message

    def items(self, notification: Notification, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The message as it is for each of the resources that it speaks of."""
        if not self._rule.each:
            return (message,)
        found = first_value(self._rule.each, message)
        if found is MISSING:
            raise self._no_resource(notification, "the list of resources")
        return [{**message, "item": item} for item in (found if isinstance(found, list) else [found])]

    def resource(self, notification: Notification, message: Mapping[str, Any]) -> Resource:
        """The resource that a message speaks of. Raises :class:`NotificationError`."""
        rule = self._rule
        identity = first_value(rule.id, message)
        if identity is MISSING:
            raise self._no_resource(notification, f"the id of the {rule.type}")
        source = first_value(rule.source, message) if rule.source else ""
        return Resource(
            type=rule.type,
            source="" if source is MISSING else _name(source, f"the source of the {rule.type}", limits.NAME_BYTES),
            id=_name(identity, f"the id of the {rule.type}", limits.ID_BYTES),
        )

    def moment(self, notification: Notification, message: Mapping[str, Any]) -> tuple[Phase, int]:
        """The phase and the time of what a message says. Raises :class:`NotificationError`."""
        rule = next(rule for rule in self._phases if rule.holds(message))
        paths = rule.occurred_at or self.definition.occurred_at
        spelled = first_value(paths, message) if paths else notification.timestamp
        if spelled is MISSING or spelled is None or spelled == "":
            where = " or ".join(path.text for path in paths) if paths else "timestamp"
            raise NotificationError("no-time", f"{where} is missing or empty, so nobody knows when it happened")
        try:
            return rule.phase, clock.parse(spelled)
        except TimeError as error:
            raise NotificationError("unreadable-time", str(error)) from None

    def fields(self, message: Mapping[str, Any]) -> tuple[dict[str, Json], dict[str, ValueError]]:
        """The fields that a message speaks of, and those that could not be read, with the reason."""
        fields: dict[str, Json] = {}
        failures: dict[str, ValueError] = {}
        for keys, rows in self._groups:
            parent: Any = message
            for key in keys:
                parent = parent.get(key) if type(parent) is dict else None
            if type(parent) is not dict:
                continue
            get = parent.get
            for name, key, fits, convert in rows:
                value = get(key, MISSING)
                if value is MISSING:
                    continue
                if convert is None or value is None or type(value) is fits:
                    fields[name] = value
                    continue
                try:
                    value = convert(value)
                except ValueError as error:
                    failures[name] = error
                    continue
                if value is not MISSING:
                    fields[name] = value
        for name, traits in self._others:
            try:
                value = first_spoken(traits, message)
            except ValueError as error:
                failures[name] = error
                continue
            if value is not MISSING:
                fields[name] = value
        return fields, failures

    def _body(self, fields: dict[str, Json]) -> Body:
        # the two spellings are one, but for floats: see model.canonical
        said = canonical(fields) if has_float(fields) else _encode(fields)
        data = b'{"f":' + said + self._suffix
        if len(data) > limits.BODY_BYTES:
            raise NotificationError("body-too-long", f"the fields take {len(data)} bytes; at most {limits.BODY_BYTES} do")
        return Body(data, sha256(data).digest())

    def _no_resource(self, notification: Notification, what: str) -> NotificationError:
        if not isinstance(notification.payload, dict):
            return NotificationError("payload-not-a-map", f"the payload is no map, so {what} is missing")
        where = " or ".join(path.text for path in (self._rule.each or self._rule.id))
        return NotificationError("no-resource-id", f"{what} is missing: nothing at {where}")

    def _report(self, failures: Mapping[str, ValueError]) -> None:
        for name, error in failures.items():
            if name not in self._logged:
                self._logged.add(name)
                _log.warning("%s: the field %r is left out where it cannot be read: %s", self._place, name, error)


def _grouped(
    fields: Mapping[str, tuple[Trait, ...]],
) -> tuple[tuple[tuple[tuple[str, ...], tuple[_Row, ...]], ...], tuple[tuple[str, tuple[Trait, ...]], ...]]:
    groups: dict[tuple[str, ...], list[_Row]] = {}
    others = []
    for name, traits in fields.items():
        keys = traits[0].keys
        if len(traits) == 1 and keys is not None:
            row = (name, keys[-1], traits[0].fits, traits[0].converter)
            groups.setdefault(keys[:-1], []).append(row)
        else:
            others.append((name, traits))
    return tuple((keys, tuple(rows)) for keys, rows in groups.items()), tuple(others)


def _needs_views(definition: Definition) -> bool:
    rule = definition.resource
    paths = [*definition.occurred_at, *(path for trait in definition.traits for path in trait.paths)]
    if rule is not None:
        paths += [*rule.id, *rule.source, *rule.each]
    for phase in definition.phases:
        paths += [*phase.occurred_at, *((phase.when,) if phase.when else ())]
    return any(path.keys is None or path.keys[0] not in _IN_BOTH_VIEWS for path in paths)


def _name(value: Json, what: str, most: int) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise NotificationError("unreadable-resource-id", f"{what} is neither a text nor a whole number")
    name = str(value)
    if len(name) * 4 > most and len(name.encode()) > most:
        raise NotificationError("id-too-long", f"{what} is longer than {most} bytes")
    return name
