"""Notifications, and the messages that they come in."""

from __future__ import annotations

from typing import Any

import msgspec

_CONTEXT = "_context_"
_IDENTITY = ("message_id", "timestamp")


class Message(msgspec.Struct, frozen=True, gc=False):
    """The bytes of one message as a source delivered them, and where they came from."""

    data: bytes
    """The whole message, or its first bytes where it is longer than the limit."""
    origin: str = ""
    """Where it came from, for people: ``FILE:LINE``, or the name of a queue."""
    size: int | None = None
    """The length of the whole message in bytes, where ``data`` holds only its beginning."""
    digest: bytes | None = None
    """The SHA-256 of the whole message, where ``data`` holds only its beginning."""


class Notification(msgspec.Struct, frozen=True):
    """One message from a service bus, decoded."""

    event_type: str
    message_id: str | None
    timestamp: Any
    """As it was spelled: read by the definitions, once."""
    payload: Any
    message: dict[str, Any]
    """The whole message as it came: flat, or in the view of an endpoint."""

    def both_views(self) -> dict[str, Any]:
        """The message with the names of both views, whichever it came in.

        Flat: ``_context_tenant``, ``message_id``, ``timestamp``. As an endpoint sees it: ``ctxt.tenant``,
        ``metadata.message_id``. Names that the message itself has stay as they are.
        """
        message = self.message
        view = dict(message)
        context = message.get("ctxt")
        if isinstance(context, dict):
            for name, value in context.items():
                view.setdefault(_CONTEXT + name, value)
        else:
            view["ctxt"] = {
                name[len(_CONTEXT) :]: value for name, value in message.items() if name.startswith(_CONTEXT)
            }
        given = message.get("metadata")
        view["metadata"] = metadata = dict(given) if isinstance(given, dict) else {}
        for name in _IDENTITY:
            # where one of the two is null, the other tells
            if metadata.get(name) is None and name in message:
                metadata[name] = message[name]
            if view.get(name) is None and name in metadata:
                view[name] = metadata[name]
        return view
