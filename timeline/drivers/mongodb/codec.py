"""Values of documents that are no keys: text, and times as the 64 bits that they are."""

from __future__ import annotations

from bson.binary import Binary
from bson.int64 import Int64

from timeline.drivers.codec import decode, encode, pack_message_id, unpack_message_id
from timeline.drivers.mongodb.keys import storable

Text = str | bytes
"""Text as it is stored: itself, but in bytes where it holds NUL, which not every server takes, or a lone surrogate."""


def text(given: str) -> Text:
    """A text to be stored."""
    data = encode(given)
    try:
        odd = b"\0" in data or data.decode() != given
    except UnicodeDecodeError:
        odd = True
    return Binary(data) if odd else given


def read_text(stored: Text) -> str:
    """The text that was stored."""
    return stored if isinstance(stored, str) else decode(stored)


def time(instant: int) -> Int64:
    """An instant to be stored or compared: of 64 bits, however near to 1970."""
    return Int64(storable(instant))


def message_id(given: str) -> bytes:
    """A message id to be stored: one that is a UUID takes 16 bytes."""
    packed = pack_message_id(given)
    assert packed is not None
    return packed


def read_message_id(stored: bytes | None) -> str | None:
    """The message id that was stored; ``None`` where there was none."""
    return unpack_message_id(stored)
