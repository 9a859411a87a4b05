"""Text, message ids and sets of numbers as the bytes that are stored, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from timeline.errors import StoreCorrupt

_TEXT = b"\x00"
_TEXT_OF_15_BYTES = b"\x01-"


def encode(text: str) -> bytes:
    """The bytes of a text. Total: file names that are no UTF-8 are text with lone surrogates in Python."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """The text whose bytes are given. Raises :class:`~timeline.errors.StoreCorrupt` for what is no UTF-8."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise StoreCorrupt(f"a text in the store is no UTF-8: {error}; timeline check tells where") from error


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
        digits = packed.hex("-", 2)  # eight times four digits: with more dashes than a UUID has
        return f"{digits[:4]}{digits[5:29]}{digits[30:34]}{digits[35:]}"
    return decode(packed[2:] if packed[:1] != _TEXT else packed[1:])


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """A set of numbers above 0, as the gaps between them in order: seven bits a byte, the lowest first.

    Of a thousand ids that lie together each takes one byte.
    """
    packed = bytearray()
    last = 0
    for number in sorted(set(numbers)):
        gap, last = number - last, number
        while gap > 0x7F:
            packed.append(gap & 0x7F | 0x80)
            gap >>= 7
        packed.append(gap)
    return bytes(packed)


def unpack_numbers(packed: bytes) -> Iterator[int]:
    """The numbers that were packed so, in order."""
    number = shift = 0
    for byte in packed:
        number += (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            shift = 0
            yield number
