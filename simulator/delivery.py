"""How messages reach a consumer: late, twice, out of order, or not at all."""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from math import exp, log
from random import Random

from simulator.stamps import DAY, HOUR, MINUTE, SECOND
from simulator.stream import Message
from simulator.wire import resent

__all__ = ["delivered"]

_LATE = 2 * MINUTE, 3 * DAY
_AGAIN = SECOND, 6 * HOUR
_WINDOW = 20 * SECOND
_RESENT = 0.25
"""Share of the second deliveries that were sent anew, with ids of their own."""


def delivered(
    messages: Iterable[Message],
    *,
    rng: Random,
    late: float,
    duplicated: float,
    reordered: float,
    lost: float,
) -> Iterator[tuple[int, bytes]]:
    """Yield when each message arrives and its bytes, in the order of arrival.

    `messages` come in the order of their times. Only those under way are held.
    """
    under_way: list[tuple[int, int, bytes]] = []
    serial = 0
    draw = rng.random
    for at, _, message in messages:
        while under_way and under_way[0][0] <= at:
            arrives, _, earlier = heappop(under_way)
            yield arrives, earlier
        if draw() < lost:
            continue
        arrives = at
        if draw() < late:
            arrives += _spread(rng, *_LATE)
        if draw() < reordered:
            arrives += rng.randrange(1, _WINDOW)
        if arrives == at:
            yield at, message
        else:
            serial += 1
            heappush(under_way, (arrives, serial, message))
        if draw() < duplicated:
            serial += 1
            again = resent(message, rng) if draw() < _RESENT else message
            heappush(under_way, (arrives + _spread(rng, *_AGAIN), serial, again))
    while under_way:
        arrives, _, message = heappop(under_way)
        yield arrives, message


def _spread(rng: Random, shortest: int, longest: int) -> int:
    """A delay whose order of magnitude is even: as many of minutes as of hours as of days."""
    return int(exp(rng.uniform(log(shortest), log(longest))))
