"""The resource timeline engine: what a resource was, at any instant, from the few events that said so.

>>> import timeline
>>> with timeline.open("sqlite:///timeline.db") as engine:   # doctest: +SKIP
...     engine.state("instance", "9f9d01b9-...", "2026-03-01T12:00:00Z")

The names below are loaded when they are first used, so that importing a low floor loads no high one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timeline.engine import Counts as Counts
    from timeline.engine import Engine as Engine
    from timeline.engine import open as open
    from timeline.errors import TimelineError as TimelineError
    from timeline.model import Body as Body
    from timeline.model import Event as Event
    from timeline.model import Existence as Existence
    from timeline.model import Phase as Phase
    from timeline.model import Quarantined as Quarantined
    from timeline.model import Resource as Resource
    from timeline.model import Segment as Segment
    from timeline.model import State as State
    from timeline.replay import Diff as Diff
    from timeline.replay import Explanation as Explanation
    from timeline.replay import JoinCounts as JoinCounts
    from timeline.replay import Timeline as Timeline

__version__ = "0.1.0"

__all__ = [
    "Body",
    "Counts",
    "Diff",
    "Engine",
    "Event",
    "Existence",
    "Explanation",
    "JoinCounts",
    "Phase",
    "Quarantined",
    "Resource",
    "Segment",
    "State",
    "Timeline",
    "TimelineError",
    "open",
]

_HOMES = {
    "Body": "timeline.model",
    "Counts": "timeline.engine",
    "Diff": "timeline.replay",
    "Engine": "timeline.engine",
    "Event": "timeline.model",
    "Existence": "timeline.model",
    "Explanation": "timeline.replay",
    "JoinCounts": "timeline.replay",
    "Phase": "timeline.model",
    "Quarantined": "timeline.model",
    "Resource": "timeline.model",
    "Segment": "timeline.model",
    "State": "timeline.model",
    "Timeline": "timeline.replay",
    "TimelineError": "timeline.errors",
    "open": "timeline.engine",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'timeline' has no attribute {name!r}") from None
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
