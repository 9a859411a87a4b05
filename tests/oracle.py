"""The reference: what the right answers are, computed the slow and plain way.

Written from DESIGN.md (2, 3, 3.1 and 8) apart from the engine, and never imports it. An event is a dict with
`type`, `id`, `source`, `occurred_at`, `phase`, `version`, `fields`, `recorded_at`, `message_id`, `event_type`.
Times are int microseconds. Compare values by `canonical`, since `==` says that 1, 1.0 and True are equal.
"""

import dataclasses
import hashlib
import math
from typing import Any

Event = dict[str, Any]
Key = tuple[str, str, str, int, int, bytes]

GENESIS = {10: "create", 11: "restore"}  # the phases that open a life, and what the birth is then called
DELETE = 90

ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


# Values


def canonical(value: Any) -> bytes:
    """Give the one JSON text of a value (invariant 7). Two values are equal if their texts are."""
    return _json(value).encode("utf-8")  # a lone surrogate is refused here, with a ValueError


def _json(value: Any) -> str:
    """Write one value, and those within it."""
    if value is None:
        return "null"
    if isinstance(value, bool):  # before int, since a bool is an int to Python
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("JSON has no NaN and no infinity")
        return "0.0" if value == 0 else repr(value)  # -0.0 is 0.0
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return "[" + ",".join(_json(item) for item in value) + "]"
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise ValueError("the keys of a JSON object are strings")
        return "{" + ",".join(_string(name) + ":" + _json(value[name]) for name in sorted(value)) + "}"
    raise ValueError(f"JSON has no {type(value).__name__}")


def _string(text: str) -> str:
    """Write a string with those escapes only that JSON requires."""
    return '"' + "".join(ESCAPES.get(c, f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


# Events


def body(event: Event) -> dict[str, Any]:
    """Give what the event said: its fields, and the version of the definition that read them."""
    return {"f": event["fields"], "v": event["version"]}


def digest(event: Event) -> bytes:
    """Give the SHA-256 of the event's body."""
    return hashlib.sha256(canonical(body(event))).digest()


def key(event: Event) -> Key:
    """Give what makes an event the same as another. Its provenance is no part of it."""
    return (event["type"], event["id"], event["source"], event["occurred_at"], event["phase"], digest(event))


def group(event: Event) -> tuple[int, int, int]:
    """Give the order but for the digest: events that are equal in it are simultaneous."""
    return (event["occurred_at"], event["phase"], event["version"])


def order(event: Event) -> tuple[int, int, int, bytes]:
    """Give the order of the model (invariant 3): content only, never arrival."""
    return (*group(event), digest(event))


def stored(events: list[Event]) -> list[Event]:
    """Drop the duplicates: the first one given stays, with its provenance."""
    first: dict[Key, Event] = {}
    for event in events:
        first.setdefault(key(event), event)
    return list(first.values())


def known(events: list[Event], known_before: int | None) -> list[Event]:
    """Give the stored events that were recorded before an hour, in the order of the model."""
    # Duplicates go first: one that came again later is known since it came first.
    kept = [e for e in stored(events) if known_before is None or e["recorded_at"] < known_before]
    return sorted(kept, key=order)


def dump(events: list[Event]) -> list[bytes]:
    """Write a line per distinct event, key and body, sorted by resource and then by the order of the model."""

    def place(event: Event) -> tuple[Any, ...]:
        return (*(event[part].encode("utf-8") for part in ("type", "source", "id")), *order(event))

    parts = ("type", "source", "id", "occurred_at", "phase")
    return [
        canonical({**{part: event[part] for part in parts}, "body": body(event)})
        for event in sorted(stored(events), key=place)
    ]


# The state


@dataclasses.dataclass
class Life:
    """One life of a resource: how it began, its events that had an effect in order (no delete), if it is over."""

    born: str
    said: list[Event] = dataclasses.field(default_factory=list)
    over: bool = False


def lives(events: list[Event]) -> list[Life]:
    """Cut the events of one resource, already in order, into its lives."""
    found: list[Life] = []
    for event in events:
        phase = event["phase"]
        # The first event of all opens life 1, whatever it is. Afterwards genesis alone opens one, and only after
        # a delete: genesis while the resource is present just says what it says.
        if not found or (found[-1].over and phase in GENESIS):
            found.append(Life(GENESIS.get(phase, "unseen")))
        life = found[-1]
        if life.over:
            continue  # posthumous: no effect, for ever
        if phase == DELETE:
            life.over = True  # what a delete says besides changes nothing
        else:
            life.said.append(event)
    return found


def registers(past: list[Life]) -> dict[str, list[Any]]:
    """Give for each field all that the last group that spoke of it said, in order, at the end of the last life."""
    held: dict[str, list[Any]] = {}
    for life in past:
        if life.born != "restore":
            held = {}  # only a restore takes up what the delete found, marks included
        for name in {name for event in life.said for name in event["fields"]}:
            speakers = [event for event in life.said if name in event["fields"]]
            last = max(group(event) for event in speakers)
            held[name] = [event["fields"][name] for event in speakers if group(event) == last]
    return held


def shown(past: list[Life]) -> dict[str, Any]:
    """Give the fields at the end of the last life: of a group, the greatest digest that speaks decides."""
    return {name: values[-1] for name, values in registers(past).items()}


def marked(past: list[Life]) -> list[str]:
    """Give the names of the fields to which the last group that spoke of them gave two values."""
    return sorted(name for name, values in registers(past).items() if len({canonical(v) for v in values}) > 1)


def state(events: list[Event], t: int) -> dict[str, Any]:
    """Give the state at an instant, from known events in order. An instant equal to a change sees the new state."""
    past = lives([event for event in events if event["occurred_at"] <= t])
    if not past:
        return {"existence": "unknown", "life": 0, "born": None, "ambiguous": [], "fields": {}}
    now = {"existence": "present", "life": len(past), "born": past[-1].born}
    if past[-1].over:
        return {**now, "existence": "deleted", "ambiguous": [], "fields": {}}
    return {**now, "ambiguous": marked(past), "fields": shown(past)}


def at(events: list[Event], t: int, known_before: int | None = None) -> dict[str, Any]:
    """Give the state of one resource at an instant."""
    return state(known(events, known_before), t)


# The timeline


def segments(events: list[Event], instants: set[int], end: int | None) -> list[dict[str, Any]]:
    """Ask for the state at every instant, and make neighbours that are equal one. The last segment ends at `end`."""
    found: list[dict[str, Any]] = []
    for instant in sorted(instants):
        now = state(events, instant)
        if found and _same(found[-1], now):
            continue
        if found:
            found[-1]["end"] = instant
        found.append({"start": instant, "end": end, **now})
    return found


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell if two states are equal: existence, life, fields and ambiguous list, by canonical bytes."""
    parts = ("existence", "life", "fields", "ambiguous")
    return all(canonical(one[part]) == canonical(other[part]) for part in parts)


def timeline(events: list[Event], known_before: int | None = None) -> list[dict[str, Any]]:
    """Give the segments of one resource from the first evidence on. The last one is open."""
    ours = known(events, known_before)
    return segments(ours, {event["occurred_at"] for event in ours}, None)


def between(events: list[Event], start: int, end: int, known_before: int | None = None) -> list[dict[str, Any]]:
    """Give the segments within [start, end), from what was in force at its start. An empty range has none."""
    if start >= end:
        return []
    ours = known(events, known_before)
    changes = {event["occurred_at"] for event in ours if start < event["occurred_at"] < end}
    return segments(ours, {start} | changes, end)


# The evidence


def explain(events: list[Event], t: int, field: str, known_before: int | None = None) -> dict[str, Any]:
    """Tell which event a field has had its value from at an instant, and how often that was said again by then."""
    ours = [event for event in known(events, known_before) if event["occurred_at"] <= t]
    now = state(ours, t)
    if field not in now["fields"]:
        return {"set_by": None, "confirmed_by": 0, "last_confirmed": None}
    value = now["fields"][field]

    def is_it(fields: dict[str, Any]) -> bool:
        return field in fields and canonical(fields[field]) == canonical(value)

    # Back from t, as long as the segments of this life have the value. A state of no length is no break.
    since = t
    for segment in reversed(timeline(ours)):
        if segment["life"] != now["life"] or not is_it(segment["fields"]):
            break
        since = segment["start"]

    *before, life = lives(ours)
    gave = [event["fields"] for event in life.said]
    if life.born == "restore":
        gave[0] = {**shown(before), **gave[0]}  # the restore gives what it takes up, but for what it says itself
    agreed = [e for e, fields in zip(life.said, gave, strict=True) if e["occurred_at"] >= since and is_it(fields)]
    set_by, *again = agreed
    last = again[-1]["occurred_at"] if again else None
    return {"value": value, "set_by": set_by, "confirmed_by": len(again), "last_confirmed": last}
