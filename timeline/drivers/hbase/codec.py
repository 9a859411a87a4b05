"""Row keys, qualifiers and values: what stands in HBase, byte by byte. This is an on-disk format.

Keys sort as unsigned bytes, so that what is read together lies together:

- A text in a key: its UTF-8 with each NUL as ``00 ff``, then ``00 01``. Texts so spelled sort as the texts do.
- A *name*: the type, the source and the id of a resource, one after the other. Names sort as resources do.
- A *reference* to a body: its SHA-256, and one byte that tells how long it is at most, as a power of 2.
- A *stamp*: ``clock.MAX`` less the instant in 8 bytes, then 255 less the phase. Stamps sort from the last to the first.
- An event: the row ``salt, name, 00, reference``, the column its stamp. Of what bounds a life each event has a row of
  its own: ``salt, name, 01, reference, stamp``. So the first column of each row that is not beyond an instant is all
  that the state at that instant needs.
- Its value: recorded_at less ``clock.MIN`` in 8 bytes, the length of the event type in 2, the event type, and the
  message id, if there is one: as :func:`timeline.drivers.codec.pack_message_id` packs it, after the byte 01.

The salt spreads resources over regions: it is one byte, of the name.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from struct import Struct

from timeline import clock
from timeline.drivers.codec import pack_message_id, unpack_message_id
from timeline.model import LIFE_BOUNDS, Body, Event, Resource

FAMILY = b"d:"
SALTS = 16
ORDINARY, BOUND = b"\x00", b"\x01"
REFERENCE_BYTES = 33
STAMP_BYTES = 9
_END = b"\x00\x01"
_SPREAD = 0x9E3779B1
_HAS_MESSAGE_ID = b"\x01"

_stamp = Struct(">QB")
_column = Struct(">2xQB")
_head = Struct(">QH")
_eight = Struct(">Q")


def encode(text: str) -> bytes:
    """The bytes of a text. Total: file names that are no UTF-8 are text with lone surrogates in Python."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """The text whose bytes are given. Raises :class:`ValueError` where they are no UTF-8."""
    return data.decode("utf-8", "surrogatepass")


def escaped(text: str) -> bytes:
    """A text as a part of a key."""
    return encode(text).replace(b"\0", b"\0\xff") + _END


def name_of(resource: Resource) -> bytes:
    """The name of a resource."""
    return escaped(resource.type) + escaped(resource.source) + escaped(resource.id)


def id_first(resource: Resource) -> bytes:
    """The name of a resource by which it is found by its id alone: the id, the type, the source."""
    return escaped(resource.id) + escaped(resource.type) + escaped(resource.source)


def named(name: bytes) -> Resource:
    """The resource that has a name. Raises :class:`ValueError` where it is none."""
    kind, source, id = _texts(name)
    return Resource(type=kind, source=source, id=id)


def named_id_first(name: bytes) -> Resource:
    """The resource whose name begins with its id. Raises :class:`ValueError` where it is none."""
    id, kind, source = _texts(name)
    return Resource(type=kind, source=source, id=id)


def _texts(name: bytes) -> Iterable[str]:
    first, second, third, rest = name.split(_END, 3)
    if rest:
        raise ValueError("a name has three parts")
    return [decode(part.replace(b"\0\xff", b"\0")) for part in (first, second, third)]


def split_row(row: bytes) -> tuple[bytes, bytes]:
    """The name in the row of an event, and what follows it. Raises :class:`ValueError` where it is no such row."""
    first, second, third, rest = row.split(_END, 3)
    end = len(first) + len(second) + len(third) + 6
    return row[1:end], rest


def after_all(prefix: bytes) -> bytes:
    """The first key after all that begin with a prefix, which ends with a text."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))


def salted(name: bytes) -> bytes:
    """A name with its salt."""
    # of names that are counted through, the lowest bits of the sum alone are not spread evenly
    return bytes(((zlib.crc32(name) * _SPREAD & 0xFFFFFFFF) >> 28,)) + name


def reference(body: Body) -> bytes:
    """What names a body."""
    return body.digest + bytes(((len(body.data) - 1).bit_length(),))


def most_bytes(reference: bytes) -> int:
    """How long a body is at most, in bytes."""
    return 1 << reference[-1]


def stamp(occurred_at: int, phase: int) -> bytes:
    """When something happened, as it sorts in HBase: the last first."""
    return _stamp.pack(clock.MAX - occurred_at, 255 - phase)


def read_column(column: bytes) -> tuple[int, int]:
    """The instant and the number of the phase in the name of a column. Raises ``struct.error`` for any other name."""
    reversed_at, reversed_phase = _column.unpack(column)
    return clock.MAX - reversed_at, 255 - reversed_phase


def since_first(instant: int) -> bytes:
    """An instant in 8 bytes, which sort as the instants do."""
    return _eight.pack(instant - clock.MIN)


def read_since_first(data: bytes) -> int:
    """The instant in 8 bytes."""
    (since,) = _eight.unpack(data)
    return int(since) + clock.MIN


def row_of(event: Event, salted_name: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The row and the column of an event; the salted name and the reference are given."""
    when = stamp(event.occurred_at, event.phase)
    if event.phase in LIFE_BOUNDS:
        return salted_name + BOUND + body + when, FAMILY + when
    return salted_name + ORDINARY + body, FAMILY + when


def value_of(recorded_at: int, event_type: str, message_id: str | None) -> bytes:
    """The provenance of an event."""
    name = encode(event_type)
    head = _head.pack(recorded_at - clock.MIN, len(name)) + name
    return head if message_id is None else head + _HAS_MESSAGE_ID + (pack_message_id(message_id) or b"")


def read_value(value: bytes) -> tuple[int, str, str | None]:
    """recorded_at, event type and message id. Raises :class:`ValueError` or ``struct.error`` for what is no value."""
    since, length = _head.unpack_from(value)
    end = 10 + length
    if len(value) < end:
        raise ValueError("a value that ends too early")
    packed = value[end + 1 :] if len(value) > end else None
    return since + clock.MIN, decode(value[10:end]), unpack_message_id(packed)


def pack_names(names: Iterable[bytes]) -> bytes:
    """The names of some resources, compressed: those that lie together have much in common."""
    return zlib.compress(b"".join(sorted(names)), 1)


def unpack_names(packed: bytes) -> list[bytes]:
    """The names that were packed so. Raises :class:`ValueError` for what is none."""
    try:
        parts = zlib.decompress(packed).split(_END)
    except zlib.error as error:
        raise ValueError(f"names that cannot be unpacked: {error}") from error
    if parts.pop() or len(parts) % 3:
        raise ValueError("names that do not end where they should")
    return [b"".join(part + _END for part in parts[first : first + 3]) for first in range(0, len(parts), 3)]
