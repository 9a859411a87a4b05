"""Notifications about things, and the definitions that read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DEFINITIONS = """\
- event_type: thing.*
  version: 3
  resource: {type: thing, id: payload.id, source: payload.region}
  phase:
    - {phase: restore, when: payload.undeleted}
  traits:
    name: payload.name
    size: {fields: payload.size, type: int}
    state: payload.state
    tags: {fields: payload.tags, type: value}
    value: {fields: payload.value, type: value}
- event_type: other.*
  resource: {type: other, id: payload.id}
  traits:
    name: payload.name
"""
"""The phase of a message is what its event type tells, but for those that say ``undeleted``."""

SMALL = {"name": "one", "size": 1, "tags": {"b": 1, "a": [True, None]}}
"""What the creation of a thing says."""


def thing(event: str, at: str | None, id: str | None = "t1", *, kind: str = "thing", **said: Any) -> dict[str, Any]:
    """A notification: ``thing("create", "12:00")`` happened on the first of March."""
    time = {} if at is None else {"timestamp": f"2026-03-01 {at}:00.000000"}
    identity = {} if id is None else {"id": id}
    message_id = f"{kind}-{event}-{at}"
    return {"event_type": f"{kind}.{event}", "message_id": message_id, **time, "payload": {**identity, **said}}


def clock(at: str) -> str:
    """A time of the first of March in full."""
    return f"2026-03-01T{at}:00.000000Z"


def lines(*messages: dict[str, Any] | bytes) -> bytes:
    """Messages, a line each."""
    return b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in messages)


def written(name: str, *messages: dict[str, Any] | bytes) -> Path:
    """A file of messages in the working directory."""
    path = Path(name)
    path.write_bytes(lines(*messages))
    return path
