"""States and segments: the answers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from timeline.model.canonical import Json
from timeline.model.event import Resource


class Existence(StrEnum):
    """Whether a resource is there: three answers which are never mixed up."""

    UNKNOWN = "unknown"
    """Before the first evidence."""
    PRESENT = "present"
    DELETED = "deleted"


class Birth(StrEnum):
    """How a life began."""

    CREATE = "create"
    RESTORE = "restore"
    UNSEEN = "unseen"
    """The first event of all was no genesis: the beginning lies before it."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a resource was at an instant.

    ``fields`` holds what this life's messages have said: a field of which none has spoken is absent; ``None`` is a
    ``null`` that was said. ``unknown`` and ``deleted`` carry no fields.
    """

    resource: Resource
    at: int
    existence: Existence
    life: int
    """0 while unknown; after a delete, the number of the life that ended."""
    fields: Mapping[str, Json]
    ambiguous: tuple[str, ...] = ()
    """The fields that two messages of the same instant, phase and version gave different values, sorted."""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """``[start, end)`` during which the state does not change. Times are microseconds since 1970 UTC."""

    start: int | None
    """``None`` only where nothing is known before: the segment ``unknown`` that precedes all evidence."""
    end: int | None
    """``None`` where it is open."""
    existence: Existence
    life: int
    born: Birth | None
    """``None`` while unknown."""
    fields: Mapping[str, Json]
    ambiguous: tuple[str, ...] = ()
