"""The keys of documents: printable ASCII, whose order is that of the UTF-8 bytes of what it spells.

Servers differ in how they order text beyond ASCII, and in whether NUL may stand in it. So most characters stand for
themselves, and a byte up to ``!`` or from ``~`` on is spelled by one of these two and its two hexadecimal digits. A
space is in no spelling: it ends a part of a key, and comes before all that could go on.

========== =============================================================================
a resource ``TYPE SOURCE ID``, each spelled so
a stream   its resource, a space, two digits of its kind, the SHA-256 of its body
an event   its stream, then sixteen hexadecimal digits of its time, two digits of its phase
========== =============================================================================

The stream of an event is its resource, its body, and its kind: the phase where it bounds a life, otherwise 0. So the
events of a resource lie together in the order of keys, those of a stream by time, and resources in their own order.
"""

from __future__ import annotations

import re

from timeline.model import LIFE_BOUNDS, Event, Resource

BEYOND = "\x7f"
"""Comes after every character of a key."""

_NEXT = "!"
"""Comes next to the space."""
_PLAIN = re.compile('["-}]*')
_SPELLED = [chr(byte) if 0x22 <= byte <= 0x7D else f"{'!' if byte < 0x22 else '~'}{byte:02x}" for byte in range(256)]
_SPELLING = re.compile(b"[!~](..)")
_DIGEST_SPELLED = re.compile("[0-9a-f]{64}")

_DIGEST, _AT, _PHASE = 64, 16, 2
STREAM_TAIL = 1 + 2 + _DIGEST
"""Characters of a stream's key after its resource."""
EVENT_TAIL = STREAM_TAIL + _AT + _PHASE
"""Characters of an event's key after its resource."""
_EARLIEST, _LATEST = -(2**63), 2**63 - 1

_BOUNDS = {phase: int(phase) for phase in LIFE_BOUNDS}

Range = dict[str, str]
"""A condition on keys: that they lie in a range."""


class Unreadable(ValueError):
    """A document, or the key of one, that this program does not write."""


def spell(text: str) -> str:
    """A text as part of a key. Total: text with lone surrogates can be asked for, though it is never stored."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join([_SPELLED[byte] for byte in text.encode("utf-8", "surrogatepass")])


def read(spelled: str) -> str:
    """The text that was spelled so. Raises :class:`Unreadable` where it is no spelling."""
    if _PLAIN.fullmatch(spelled):
        return spelled
    try:
        data = _SPELLING.sub(lambda found: bytes.fromhex(found[1].decode()), spelled.encode("ascii"))
        text = data.decode("utf-8", "surrogatepass")
    except ValueError as error:
        raise Unreadable(f"{spelled!r} spells no text") from error
    if spell(text) != spelled:
        raise Unreadable(f"{spelled!r} spells no text")
    return text


def of_resource(resource: Resource) -> str:
    """The key of a resource."""
    return f"{spell(resource.type)} {spell(resource.source)} {spell(resource.id)}"


def resource_of(key: str) -> Resource:
    """The resource with this key. Raises :class:`Unreadable`."""
    parts = key.split(" ")
    if len(parts) != 3:
        raise Unreadable(f"{key!r} is no key of a resource")
    type, source, id = parts
    return Resource(type=read(type), source=read(source), id=read(id))


def of_stream(resource: str, event: Event) -> str:
    """The key of the stream of an event, of which the key of the resource is given."""
    return f"{resource} {_BOUNDS.get(event.phase, 0):02}{event.body.digest.hex()}"


def of_event(stream: str, event: Event) -> str:
    """The key of an event, of which that of the stream is given."""
    return f"{stream}{_time(event.occurred_at)}{event.phase:02}"


def stream_of(key: str) -> tuple[str, int, str]:
    """Of the key of a stream: the key of its resource, its kind, the digest of its body in hexadecimal.

    Raises :class:`Unreadable`.
    """
    try:
        return key[:-STREAM_TAIL], int(key[1 - STREAM_TAIL : -_DIGEST]), key[-_DIGEST:]
    except ValueError as error:
        raise Unreadable(f"{key!r} is no key of a stream") from error


def event_of(key: str) -> tuple[int, int, str]:
    """Of the key of an event: occurred_at, phase, the digest of its body in hexadecimal. Raises :class:`Unreadable`."""
    try:
        return int(key[-18:-2], 16) - 2**63, int(key[-2:]), key[-82:-18]
    except ValueError as error:
        raise Unreadable(f"{key!r} is no key of an event") from error


def under(*parts: str) -> Range:
    """The keys that begin with these parts, and go on."""
    first = " ".join(parts)
    return {"$gt": f"{first} ", "$lt": f"{first}{_NEXT}"}


def until(stream: str, instant: int) -> Range:
    """The events of a stream up to an instant, this included."""
    return {"$gt": stream, "$lt": f"{stream}{_time(instant)}{BEYOND}"}


def within(stream: str) -> Range:
    """The events of a stream."""
    return {"$gt": stream, "$lt": f"{stream}{BEYOND}"}


def beginning(text: str) -> Range:
    """The keys that begin with a text."""
    spelled = spell(text)
    return {"$gte": spelled, "$lt": f"{spelled}{BEYOND}"}


def storable(instant: int) -> int:
    """The instant, or the last of 64 bits where it lies beyond them."""
    return min(max(instant, _EARLIEST), _LATEST)


def is_digest(text: str) -> bool:
    """Whether a text is a SHA-256 as it is written here."""
    return _DIGEST_SPELLED.fullmatch(text) is not None


def _time(instant: int) -> str:
    return f"{storable(instant) + 2**63:016x}"
