"""Phases: where in the course of an operation an event stands."""

from __future__ import annotations

from enum import IntEnum
from fnmatch import fnmatchcase


class Phase(IntEnum):
    """The phase of an event. The numbers are the order of events at one instant, and are stored."""

    CREATE = 10
    """Genesis: opens a life with no fields."""
    RESTORE = 11
    """Genesis: opens a life with the fields that the delete found."""
    START = 20
    """The state before an operation."""
    EXISTS = 25
    """The state when the message was generated."""
    UPDATE = 30
    """A change, or a statement of what is."""
    END = 40
    """The state after an operation."""
    ERROR = 45
    """The state after a failure."""
    REPAIR = 50
    """A correction by someone who knows."""
    DELETE = 90
    """The end of a life."""


GENESIS = frozenset({Phase.CREATE, Phase.RESTORE})
"""The phases that open a life."""

LIFE_BOUNDS = frozenset({Phase.CREATE, Phase.RESTORE, Phase.DELETE})
"""The phases that open or end a life: every occurrence of them is needed to know which life an instant is in."""

_BY_EVENT_TYPE = (
    ("*.delete.end", Phase.DELETE),
    ("*.delete", Phase.DELETE),
    ("*.deleted", Phase.DELETE),
    ("*.create.start", Phase.CREATE),
    ("*.create", Phase.CREATE),
    ("*.created", Phase.CREATE),
    ("*.start", Phase.START),
    ("*.exists", Phase.EXISTS),
    ("*.end", Phase.END),
    ("*.error", Phase.ERROR),
)


def default_phase(event_type: str) -> Phase:
    """The phase that an event type tells where its definition says nothing else."""
    for pattern, phase in _BY_EVENT_TYPE:
        if fnmatchcase(event_type, pattern):
            return phase
    return Phase.UPDATE
