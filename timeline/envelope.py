"""Bytes to notification, in whichever of three shapes a message travels.

A message is bare, or wrapped by ``oslo.version`` 2.0 with the message as a JSON text in ``oslo.message``, or encoded
twice (a JSON text that holds the message). Within, it is flat or in the view of an endpoint: see
:meth:`timeline.model.Notification.both_views`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from timeline.errors import NotificationError
from timeline.model import Notification, limits

_decode = msgspec.json.Decoder().decode
_SURELY_SHORT = limits.ID_BYTES // 4
_AROUND = 40
"""Bytes that are shown before and after the one at fault."""
_TOLD_BYTE = re.compile(r"\(byte ([0-9]+)\)\Z")
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
"""What is looked at where levels are counted: a bracket, or a string, in which there is none."""


def read(data: bytes) -> Notification:
    """The notification that a message holds.

    Raises :class:`NotificationError` with one of the reasons ``not-utf8``, ``not-json``, ``number-too-large``,
    ``too-deep``, ``not-a-notification``, ``unknown-envelope``, ``no-event-type``, ``event-type-too-long``,
    ``message-id-too-long``.
    """
    message = _value(data)
    if type(message) is str:
        message = _value(message.encode(), "the text within, ")
    if type(message) is dict and ("oslo.version" in message or "oslo.message" in message):
        message = _unwrapped(message)
    if type(message) is not dict:
        raise NotificationError("not-a-notification", f"a JSON object is expected, not {kind_of(message)}")
    event_type = message.get("event_type")
    if type(event_type) is not str or not event_type:
        raise NotificationError("no-event-type", "event_type is missing, empty or no text", "event_type")
    message_id, timestamp = message.get("message_id"), message.get("timestamp")
    if message_id is None or timestamp is None:
        metadata = message.get("metadata")
        if type(metadata) is dict:
            message_id = metadata.get("message_id") if message_id is None else message_id
            timestamp = metadata.get("timestamp") if timestamp is None else timestamp
    if type(message_id) is not str:
        # it is evidence only: a number is kept as its digits, anything else is none
        message_id = str(message_id) if type(message_id) is int else None
    # a character takes four bytes at most
    if len(event_type) > _SURELY_SHORT and len(event_type.encode()) > limits.ID_BYTES:
        detail = f"event_type is longer than {limits.ID_BYTES} bytes"
        raise NotificationError("event-type-too-long", detail, "event_type")
    if message_id is not None and len(message_id) > _SURELY_SHORT and len(message_id.encode()) > limits.ID_BYTES:
        detail = f"message_id is longer than {limits.ID_BYTES} bytes"
        where = "message_id" if message.get("message_id") is not None else "metadata.message_id"
        raise NotificationError("message-id-too-long", detail, where)
    return Notification(event_type, message_id, timestamp, message.get("payload"), message)


def fault(data: bytes, reason: str) -> tuple[str | None, str | None] | None:
    """The place for which a message cannot be read, and the text around it where it is a byte, after ``>>>``.

    ``None`` where it can be read, or cannot for another reason.
    """
    try:
        read(data)
    except _AtByte as error:
        if error.reason == reason:
            return error.place, error.text_around()
    except NotificationError as error:
        if error.reason == reason:
            return error.place, None
    return None


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a map"


class _AtByte(NotificationError):
    """A message that one byte of it, or of a text in it, makes unreadable."""

    def __init__(self, reason: str, detail: str, data: bytes, byte: int, within: str) -> None:
        super().__init__(reason, detail, f"{within}byte {byte:,}")
        self._data = data
        self._byte = byte

    def text_around(self) -> str:
        """The text around the byte, which follows ``>>>``."""
        first, end = max(0, self._byte - _AROUND), self._byte + _AROUND
        before, after = _text(self._data[first : self._byte]), _text(self._data[self._byte : end])
        return f"{'...' if first else ''}{before}>>>{after}{'...' if end < len(self._data) else ''}"


def _value(data: bytes, within: str = "") -> Any:
    """The value of a JSON text; ``within`` says in what it stands, if that is not the message itself."""
    try:
        value = _decode(data)
    except RecursionError:
        raise _too_deep(data, within) from None
    except UnicodeDecodeError as error:
        raise _unreadable(data, error, within) from None
    except msgspec.ValidationError:
        # of what is read without a type, only a number can be JSON and yet be no value
        expected = "a whole number has 4,300 digits at most, any other is at most 1.8e308"
        detail = f"a number is too large: {expected}"
        raise _AtByte("number-too-large", detail, data, _too_large(data), within) from None
    except msgspec.MsgspecError as error:
        raise _unreadable(data, error, within) from None
    # brackets are counted before levels: few messages have as many
    if data.count(b"{") + data.count(b"[") > limits.NESTING and _nesting(value) > limits.NESTING:
        raise _too_deep(data, within)
    return value


def _unreadable(data: bytes, error: Exception, within: str) -> NotificationError:
    try:
        data.decode()
    except UnicodeDecodeError as undecodable:
        start = undecodable.start
        return _AtByte("not-utf8", f"byte {start} is not UTF-8", data, start, within)
    told = _TOLD_BYTE.search(str(error))
    return _AtByte("not-json", f"not JSON: {error}", data, int(told[1]) if told else len(data), within)


def _too_deep(data: bytes, within: str) -> NotificationError:
    level, byte = 0, len(data)
    for token in _TOKEN.finditer(data):
        if token[0] in (b"{", b"["):
            level += 1
            if level > limits.NESTING:
                byte = token.start()
                break
        elif token[0] in (b"}", b"]"):
            level -= 1
    return _AtByte("too-deep", f"nested deeper than {limits.NESTING} levels", data, byte, within)


def _too_large(data: bytes) -> int:
    """Where the first number begins that is too large, in a text that is refused for one.

    The shortest beginning that is refused for it ends within it. That is found by halves: a look at each number of a
    long message would take longer than all else that is done with it.
    """
    fine, refused = 0, len(data)
    while refused - fine > 1:
        middle = (fine + refused) // 2
        try:
            _decode(data[:middle])
        except msgspec.ValidationError:
            refused = middle
        except msgspec.MsgspecError:  # it is cut off there, and nothing is wrong with it otherwise
            fine = middle
        else:
            fine = middle
    return len(data[:refused].rstrip(b"0123456789.eE+-"))


def _text(data: bytes) -> str:
    """A piece of a text, without the halves of letters at its ends."""
    start = next((at for at, byte in enumerate(data[:4]) if byte & 0xC0 != 0x80), 0)
    try:
        return data[start:].decode()
    except UnicodeDecodeError as error:
        cut = error.start if error.reason == "unexpected end of data" else None
        return data[start:cut].decode(errors="backslashreplace")


def _nesting(value: Any) -> int:
    level = 0
    inner = [value]
    while inner:
        inner = [part for part in inner if type(part) is dict or type(part) is list]
        if inner:
            level += 1
        inner = [part for outer in inner for part in (outer.values() if type(outer) is dict else outer)]
    return level


def _unwrapped(wrapped: dict[str, Any]) -> Any:
    version = wrapped.get("oslo.version")
    major, _, minor = version.partition(".") if isinstance(version, str) else ("", "", "")
    if major != "2" or minor not in ("", "0"):
        raise NotificationError(
            "unknown-envelope", f"oslo.version is {version!r:.40}, and only 2.0 is known", "oslo.version"
        )
    message = wrapped.get("oslo.message")
    if type(message) is str:
        return _value(message.encode(), "oslo.message, ")
    if type(message) is dict:
        return message
    raise NotificationError("unknown-envelope", "oslo.message is missing or holds no message", "oslo.message")
