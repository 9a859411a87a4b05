"""The numbers of one process: those that only grow, and how it stands now."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from time import monotonic

import msgspec

from timeline import clock

COMMIT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The bounds between which times of commits are counted."""

LAG_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0)
"""The bounds between which lags are counted: a commit within a second, and a late event after a week."""

WORDS = 50
"""Different words that are counted by, of each kind: more would be a fault of ours, and would drown who collects."""

OTHER = "other"
"""What words beyond the first :data:`WORDS` are counted as."""


class Spread(msgspec.Struct):
    """How many values lie between bounds, and their sum."""

    counts: list[int]
    """For each bound the values up to it and above the one before; at last those above all."""
    total: float = 0.0

    @classmethod
    def between(cls, bounds: tuple[float, ...]) -> Spread:
        """An empty one."""
        return cls([0] * (len(bounds) + 1))

    def add(self, values: Iterable[float], bounds: tuple[float, ...]) -> None:
        """Count values. One below zero counts as zero, since the sum may only grow."""
        ordered = sorted(values)
        before = 0
        for at, bound in enumerate(bounds):
            reached = bisect_right(ordered, bound)
            self.counts[at] += reached - before
            before = reached
        self.counts[-1] += len(ordered) - before
        self.total += sum(ordered[bisect_right(ordered, 0.0) :])

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def __add__(self, other: Spread) -> Spread:
        counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        return Spread(counts, self.total + other.total)


class Tally(msgspec.Struct, kw_only=True):
    """What only grows. Of several processes it is added up, of those that have ended too."""

    read: int = 0
    redelivered: int = 0
    in_scope: int = 0
    out_of_scope: int = 0
    quarantined: dict[str, int] = {}
    """By reason."""
    events: int | None = 0
    """Newly stored; ``None`` since the store could not tell, as are the next three."""
    bodies: int | None = 0
    repeats: int | None = 0
    duplicates: int | None = 0
    unreadable_fields: int = 0
    commits: Spread = msgspec.field(default_factory=lambda: Spread.between(COMMIT_SECONDS))
    """The seconds that each took."""
    lags: Spread = msgspec.field(default_factory=lambda: Spread.between(LAG_SECONDS))
    """The seconds from when an event occurred until it was recorded."""
    reconnects: int = 0
    store_errors: dict[str, int] = {}
    """By the name of the error."""
    stale: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            read=self.read + other.read,
            redelivered=self.redelivered + other.redelivered,
            in_scope=self.in_scope + other.in_scope,
            out_of_scope=self.out_of_scope + other.out_of_scope,
            quarantined=_by_word(self.quarantined, other.quarantined),
            events=plus(self.events, other.events),
            bodies=plus(self.bodies, other.bodies),
            repeats=plus(self.repeats, other.repeats),
            duplicates=plus(self.duplicates, other.duplicates),
            unreadable_fields=self.unreadable_fields + other.unreadable_fields,
            commits=self.commits + other.commits,
            lags=self.lags + other.lags,
            reconnects=self.reconnects + other.reconnects,
            store_errors=_by_word(self.store_errors, other.store_errors),
            stale=self.stale + other.stale,
        )


class Standing(msgspec.Struct, kw_only=True):
    """How one process stands now. That of one which has ended is forgotten."""

    alive: bool = True
    """Whether the process runs."""
    connected: bool = False
    """Whether it is subscribed to the bus."""
    store_available: bool = False
    """Whether the store answered when it was last asked."""
    unacknowledged: int = 0
    """Messages that it holds."""
    committed_at: int | None = None
    """The instant of the last commit."""
    turned_at: int = msgspec.field(default_factory=clock.now)
    """The instant when the run loop last turned, or when it was made."""
    turned: float = msgspec.field(default_factory=monotonic)
    """The same in seconds of the monotonic clock, which all processes of a machine share."""


class Told(msgspec.Struct, frozen=True):
    """What one process tells about itself."""

    tally: Tally
    standing: Standing


def plus(one: int | None, other: int | None) -> int | None:
    """The sum, where both are known."""
    return None if one is None or other is None else one + other


def count(counted: dict[str, int], words: Mapping[str, int]) -> None:
    """Add numbers by word; words beyond the first :data:`WORDS` are one."""
    for word, number in words.items():
        known = word if word in counted or len(counted) < WORDS else OTHER
        counted[known] = counted.get(known, 0) + number


def _by_word(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    counted = dict(one)
    count(counted, other)
    return counted
