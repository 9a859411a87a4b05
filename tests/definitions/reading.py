"""How the tests read: a definition as people write it, and a message as it comes from the wire."""

import json
import textwrap
from typing import Any

import pytest

from timeline import envelope
from timeline.definitions import Definitions
from timeline.errors import NotificationError
from timeline.model import Event, Notification

AT = "2026-03-01 12:00:00.000001"


def definitions(text: str) -> Definitions:
    return Definitions.read(textwrap.dedent(text), "definitions.yaml")


def of_trait(trait: str, **keys: str) -> Definitions:
    """The definitions of a thing which has one trait, ``it``, and perhaps more keys."""
    more = "".join(f"  {key}: {value}\n" for key, value in keys.items())
    return definitions(
        f"- event_type: a.b\n  resource: {{type: thing, id: payload.id}}\n{more}  traits:\n    it: {trait}\n"
    )


def notification(event_type: str = "a.b", payload: Any = None, **members: Any) -> Notification:
    """A notification as its bytes are read; it has an id and a time unless ``members`` say otherwise."""
    message = {"event_type": event_type, "message_id": "m", "timestamp": AT, "payload": payload, **members}
    return envelope.read(json.dumps(message).encode())


def events(read_by: Definitions, *, event_type: str = "a.b", payload: Any = None, **members: Any) -> list[Event]:
    """The events of a notification that is in scope."""
    reading = read_by.events(notification(event_type, payload, **members), recorded_at=7)
    assert reading is not None, f"{event_type} is out of scope"
    return reading[0]


def event(read_by: Definitions, **message: Any) -> Event:
    """The one event of a notification."""
    (only,) = events(read_by, **message)
    return only


def fields(read_by: Definitions, payload: Any, **members: Any) -> dict[str, Any]:
    """What a notification about the thing ``1`` says of it."""
    return event(read_by, payload={"id": "1", **payload}, **members).body.fields()


def refusal(read_by: Definitions, **message: Any) -> NotificationError:
    """Why a notification is refused."""
    with pytest.raises(NotificationError) as refused:
        events(read_by, **message)
    return refused.value
