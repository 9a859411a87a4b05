"""The fleet: what a caller asks for, and the two things that come of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from random import Random

from simulator import stamps
from simulator.delivery import delivered
from simulator.history import Step, history
from simulator.identity import Identity, identity
from simulator.stream import Message, messages
from simulator.truth import segments
from simulator.wire import ENVELOPES, Writer

__all__ = ["Fleet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A fleet of nova instances over some days: equal arguments give equal bytes.

    An instance depends on the seed, its number, and the span, not on how many others there are.

    - `changes_per_day`: real changes of an instance and day: resize, suspend and resume, power off
      and on, live migration, metadata edit, rename.
    - `audit`: a `compute.instance.exists` for every `audit_hours`, made within ten minutes after them.
    - `deleted`: the share of instances that are deleted within the span.
    - `late`, `duplicated`, `reordered`, `lost`: shares of the messages. Late ones arrive minutes to
      three days after their time; duplicated ones a second time (a quarter of them sent anew, with
      another `message_id`); reordered ones up to 20 seconds late; lost ones never.
    """

    seed: int = 42
    instances: int = 100
    days: float = 30.0
    start: str = "2026-01-01T00:00:00"
    changes_per_day: float = 0.5
    audit: bool = True
    audit_hours: int = 1
    deleted: float = 0.3
    late: float = 0.0
    duplicated: float = 0.0
    reordered: float = 0.0
    lost: float = 0.0

    def __post_init__(self) -> None:
        for share in ("deleted", "late", "duplicated", "reordered", "lost"):
            if not 0 <= getattr(self, share) <= 1:
                raise ValueError(f"{share} is a share from 0 to 1, not {getattr(self, share)}")
        if self.instances < 0:
            raise ValueError(f"instances must not be negative: {self.instances}")
        if not 0 < self.days <= 100_000:
            raise ValueError(f"days must be more than 0 and at most 100000: {self.days}")
        if not 0 <= self.changes_per_day <= 10_000:
            raise ValueError(f"changes_per_day is from 0 to 10000: {self.changes_per_day}")
        if self.audit_hours < 1:
            raise ValueError(f"audit_hours must be 1 or more: {self.audit_hours}")
        try:
            stamps.microseconds(self.start)
        except ValueError as error:
            raise ValueError(f"start must be an ISO 8601 time such as 2026-01-01T00:00:00: {self.start!r}") from error

    def notifications(self, *, envelope: str = "bare") -> Iterator[bytes]:
        """Yield the notifications as JSON, in the order in which they are delivered.

        `envelope` is `bare` (with `_context_*` keys), `oslo2` (the same as a string within
        `oslo.message`), or `mixed`: both of these and bare ones without a context, a third each.
        """
        return (message for _, message in self.deliveries(envelope=envelope))

    def deliveries(self, *, envelope: str = "bare") -> Iterator[tuple[int, bytes]]:
        """Yield the notifications with when each arrives, in microseconds since 1970 (UTC)."""
        if envelope not in ENVELOPES:
            raise ValueError(f"envelope is one of {', '.join(ENVELOPES)}, not {envelope!r}")
        return delivered(
            merge(*(self._messages(index, envelope) for index in range(self.instances))),
            rng=Random(f"{self.seed}:delivery"),
            late=self.late,
            duplicated=self.duplicated,
            reordered=self.reordered,
            lost=self.lost,
        )

    def truth(self) -> Iterator[dict[str, object]]:
        """Yield what was so, instance by instance: what happened to it, whatever became of the messages.

        Times are microseconds since 1970 (UTC); the last segment's end is None.
        """
        for index in range(self.instances):
            who = self._identity(index)
            if told := segments(who, self._history(who)):
                yield {"type": "instance", "id": who.id, "segments": told}

    def _messages(self, index: int, envelope: str) -> Iterator[Message]:
        who = self._identity(index)
        rng = Random(f"{self.seed}:{index}:wire")
        return messages(
            index,
            self._history(who),
            Writer(who, rng, envelope=envelope),
            rng=rng,
            end=self._end,
            period=self.audit_hours * stamps.HOUR if self.audit else None,
        )

    def _identity(self, index: int) -> Identity:
        start = stamps.microseconds(self.start)
        return identity(self.seed, index, start=start, span=self._end - start)

    def _history(self, who: Identity) -> Iterator[Step]:
        return history(
            who,
            seed=self.seed,
            end=self._end,
            changes_per_day=self.changes_per_day,
            deleted=self.deleted,
        )

    @property
    def _end(self) -> int:
        return stamps.microseconds(self.start) + round(self.days * stamps.DAY)
