"""Samples joined to the segments in force at their times: all of it that needs no store.

``Join`` joins batches to a ``Fleet``; ``from_segments`` makes one of a table of segments. The names below are loaded
when they are first used: columns need numpy and pyarrow, and joining dicts needs neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timeline.replay.join.fleet import Fleet as Fleet
    from timeline.replay.join.fleet import from_segments as from_segments
    from timeline.replay.join.joining import Join as Join
    from timeline.replay.join.options import JoinCounts as JoinCounts
    from timeline.replay.join.options import Options as Options

__all__ = ["Fleet", "Join", "JoinCounts", "Options", "from_segments"]

_HOMES = {
    "Fleet": "fleet",
    "Join": "joining",
    "JoinCounts": "options",
    "Options": "options",
    "from_segments": "fleet",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
