"""Text and message ids as the bytes that are stored, and back."""

from __future__ import annotations

_TEXT = b"\x00"
_TEXT_OF_15_BYTES = b"\x01-"


def encode(text: str) -> bytes:
    """The bytes of a text. Total: file names that are no UTF-8 are text with lone surrogates in Python."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """The text whose bytes are given."""
    return data.decode("utf-8", "surrogatepass")


def pack_message_id(message_id: str | None) -> bytes | None:
    """A UUID as it is usually spelled in 16 bytes; any other text in its own bytes after a mark, never 16 in all."""
    if message_id is None:
        return None
    if len(message_id) == 36 and message_id[8:24:5] == "----":
        digits = message_id.replace("-", "")
        if len(digits) == 32:
            try:
                packed = bytes.fromhex(digits)
            except ValueError:
                packed = b""
            if packed.hex() == digits:  # not so for capital letters, nor where fromhex passed over a space
                return packed
    data = encode(message_id)
    return (_TEXT_OF_15_BYTES if len(data) == 15 else _TEXT) + data


def unpack_message_id(packed: bytes | None) -> str | None:
    """The message id that was packed so."""
    if packed is None:
        return None
    if len(packed) == 16:
        digits = packed.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return decode(packed[2:] if packed[0] else packed[1:])
