"""Bytes to notification, in whichever of three shapes a message travels.

A message is bare, or wrapped by ``oslo.version`` 2.0 with the message as a JSON text in ``oslo.message``, or encoded
twice (a JSON text that holds the message). Within, it is flat or in the view of an endpoint: see
:meth:`timeline.model.Notification.both_views`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from timeline.errors import NotificationError
from timeline.model import Notification, limits

_decode = msgspec.json.Decoder().decode
_SURELY_SHORT = limits.ID_BYTES // 4


def read(data: bytes) -> Notification:
    """The notification that a message holds.

    Raises :class:`NotificationError` with one of the reasons ``not-utf8``, ``not-json``, ``number-too-large``,
    ``too-deep``, ``not-a-notification``, ``unknown-envelope``, ``no-event-type``, ``event-type-too-long``,
    ``message-id-too-long``.
    """
    message = _value(data)
    if type(message) is str:
        message = _value(message.encode())
    if type(message) is dict and ("oslo.version" in message or "oslo.message" in message):
        message = _unwrapped(message)
    if type(message) is not dict:
        raise NotificationError("not-a-notification", f"a JSON object is expected, not {kind_of(message)}")
    event_type = message.get("event_type")
    if type(event_type) is not str or not event_type:
        raise NotificationError("no-event-type", "event_type is missing, empty or no text")
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
        raise NotificationError("event-type-too-long", f"event_type is longer than {limits.ID_BYTES} bytes")
    if message_id is not None and len(message_id) > _SURELY_SHORT and len(message_id.encode()) > limits.ID_BYTES:
        raise NotificationError("message-id-too-long", f"message_id is longer than {limits.ID_BYTES} bytes")
    return Notification(event_type, message_id, timestamp, message.get("payload"), message)


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


def _value(data: bytes) -> Any:
    try:
        value = _decode(data)
    except RecursionError:
        raise NotificationError("too-deep", f"nested deeper than {limits.NESTING} levels") from None
    except UnicodeDecodeError as error:
        raise NotificationError("not-utf8", f"byte {error.start} of a text is not UTF-8") from None
    except msgspec.ValidationError:
        # of what is read without a type, only a number can be JSON and yet be no value
        expected = "a whole number has 4,300 digits at most, any other is at most 1.8e308"
        raise NotificationError("number-too-large", f"a number is too large: {expected}") from None
    except msgspec.MsgspecError as error:
        raise _unreadable(data, error) from None
    # brackets are counted before levels: few messages have as many
    if data.count(b"{") + data.count(b"[") > limits.NESTING and _nesting(value) > limits.NESTING:
        raise NotificationError("too-deep", f"nested deeper than {limits.NESTING} levels")
    return value


def _unreadable(data: bytes, error: msgspec.MsgspecError) -> NotificationError:
    try:
        data.decode()
    except UnicodeDecodeError as undecodable:
        return NotificationError("not-utf8", f"byte {undecodable.start} is not UTF-8")
    return NotificationError("not-json", f"not JSON: {error}")


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
        raise NotificationError("unknown-envelope", f"oslo.version is {version!r:.40}, and only 2.0 is known")
    message = wrapped.get("oslo.message")
    if type(message) is str:
        return _value(message.encode())
    if type(message) is dict:
        return message
    raise NotificationError("unknown-envelope", "oslo.message is missing or holds no message")
