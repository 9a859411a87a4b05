"""One line that shows how consuming goes, while a person watches."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

from timeline.metrics import Told

_SPAN = 5.0
"""Seconds of which rate and lag are told: what was long ago says nothing of now."""


@contextmanager
def watched(tell: Callable[[], Sequence[Told]]) -> Iterator[None]:
    """Within it, a line on standard error shows the numbers that ``tell`` returns, where that is a screen."""
    if not sys.stderr.isatty():
        yield
        return
    line = Line(tell)
    with Live(
        get_renderable=lambda: Text(line.text(), no_wrap=True, overflow="ellipsis"),
        console=Console(stderr=True),
        refresh_per_second=4,
        transient=True,
        redirect_stdout=False,
    ):
        yield


class Line:
    """The text of the line: rate, what is stored, what is not, and how far behind it is."""

    def __init__(self, tell: Callable[[], Sequence[Told]], *, hour: Callable[[], float] = monotonic) -> None:
        self._tell = tell
        self._hour = hour
        self._began = hour()
        self._past: deque[_Numbers] = deque([_Numbers.of(tell(), self._began)])

    def text(self) -> str:
        """As it is now."""
        told = self._tell()
        now = _Numbers.of(told, self._hour())
        self._past.append(now)
        while len(self._past) > 2 and self._past[1].at <= now.at - _SPAN:
            self._past.popleft()
        then = self._past[0]
        pieces = [
            f"{(now.stored - then.stored) / (now.at - then.at) if now.at > then.at else 0:,.0f}/s",
            f"{now.stored:,} stored",
            f"{now.quarantined:,} quarantined",
            f"{sum(each.standing.unacknowledged for each in told):,} unacknowledged",
        ]
        if now.events > then.events:
            pieces.append(f"{span((now.lag - then.lag) / (now.events - then.events))} behind")
        pieces.append(_state(told))
        return ", ".join(filter(None, pieces))


class _Numbers(NamedTuple):
    """What had been done at a moment, in seconds of any clock; ``lag`` is the sum of ``events`` lags in seconds."""

    at: float
    stored: int
    quarantined: int
    events: int
    lag: float

    @classmethod
    def of(cls, told: Sequence[Told], at: float) -> _Numbers:
        tallies = [each.tally for each in told]
        return cls(
            at=at,
            stored=sum(tally.in_scope for tally in tallies),
            quarantined=sum(sum(tally.quarantined.values()) for tally in tallies),
            events=sum(tally.lags.count for tally in tallies),
            lag=sum(tally.lags.total for tally in tallies),
        )


def span(seconds: float) -> str:
    """A span as a person says it: ``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size, most, unit in ((1, 120, "s"), (60, 120, "min"), (3_600, 48, "h")):
        if seconds < most * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def _state(told: Sequence[Told]) -> str:
    """What keeps messages from being stored, where something does."""
    standings = [each.standing for each in told]
    if not all(standing.alive for standing in standings):
        return f"{sum(standing.alive for standing in standings)} of {len(standings)} workers run"
    if not all(standing.connected for standing in standings):
        return "no connection to the bus"
    if not all(standing.store_available for standing in standings) and any(each.tally.store_errors for each in told):
        return "the store does not answer"
    return ""
