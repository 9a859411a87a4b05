"""Quarantine: what could not be read, kept with its reason."""

from __future__ import annotations

from enum import StrEnum

import msgspec

NOTE_BYTES = 1_024
"""Why a message was dropped, in bytes of UTF-8."""


class Outcome(StrEnum):
    """How a quarantined message was settled. A record is settled, never deleted."""

    STORED = "stored"
    """Read again after the definitions were mended: its events are stored."""
    OUT_OF_SCOPE = "out_of_scope"
    """Read again after the definitions were mended: it speaks of no resource."""
    DROPPED = "dropped"
    """A person decided that it is not to be read; the note says why."""


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A message that could not be read."""

    id: str
    """The SHA-256 of the whole message in hexadecimal: a redelivery is the same record."""
    reason: str
    """The short word that records are counted by, such as ``not-json``."""
    detail: str
    """What is wrong."""
    origin: str
    received_at: int
    event_type: str | None
    message_id: str | None
    size: int
    """The length of the whole message in bytes."""
    data: bytes
    """The message, or its first 64 KiB; the values of token-like keys are masked."""
    outcome: Outcome | None = None
    settled_at: int | None = None
    place: str | None = None
    """Where in the message it is wrong: a path such as ``payload.id``, or ``byte 1,234``, counted from 0.

    ``None`` where it is no place that is wrong, and of what was quarantined by a version that did not keep it.
    """
    note: str | None = None
    """Why it was dropped, as a person put it; ``None`` of all others."""
