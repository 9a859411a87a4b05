"""All that one instance says, in the order of time: its steps, and the audits between them."""

from collections.abc import Iterable, Iterator
from itertools import chain
from random import Random

from simulator.history import State, Step
from simulator.stamps import MINUTE, SECOND
from simulator.wire import Writer

__all__ = ["Message", "messages"]

Message = tuple[int, int, bytes]
"""When it was sent, by which instance (its index), and the bytes. No two messages share the first two."""

_WITHIN = 10 * MINUTE
_WHOLE = 1 / 40
_NEVER = 2**63, 0


def messages(
    index: int, steps: Iterable[Step], writer: Writer, *, rng: Random, end: int, period: int | None
) -> Iterator[Message]:
    """Merge the steps of an instance with its audits, one for each period in which it was there.

    An audit tells the state of the moment at which it is made, also where that is `deleted`.
    """
    state: State | None = None
    audits: Iterator[tuple[int, int]] = iter(())
    at, ending = _NEVER
    for step in chain(steps, (None,)):
        until = end if step is None else step.at
        while state is not None and period is not None and at < until:
            beginning = ending - period
            if state.deleted_at is not None and state.deleted_at <= beginning:
                return
            yield at, index, writer.exists(at, state, beginning=beginning, ending=ending)
            at, ending = next(audits, _NEVER)
        if step is None:
            return
        if at == step.at:
            at += 1
        yield step.at, index, writer.step(step, state or step.state)
        state = step.state
        if step.event == "create.end" and period is not None:
            audits = _audits(rng, since=step.at, end=end, period=period)
            at, ending = next(audits, _NEVER)


def _audits(rng: Random, *, since: int, end: int, period: int) -> Iterator[tuple[int, int]]:
    """When each audit is made, and the end of the period that it speaks of."""
    for ending in range(since - since % period + period, end, period):
        at = ending + rng.randrange(_WITHIN)
        if rng.random() < _WHOLE:
            at -= at % SECOND
        yield at, ending
