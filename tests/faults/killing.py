"""A consumer that kills itself at a named point between read, write, commit and acknowledge.

Nothing of the product knows of it: in a forked process, source, driver and cursors are wrapped, and tell before and
after each call that matters.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import timeline
from tests.faults.publishing import EXCHANGE, TOPIC
from timeline.consumers.amqp import Amqp, Subscription
from timeline.drivers.sql.connections import Lease
from timeline.engine import Engine
from timeline.metrics import Metrics

POINTS = (
    *("before take", "after take"),
    *("before put", "after put", "before append", "after begin", "before commit", "after commit", "after append"),
    *("before acknowledge", "after acknowledge"),
)
SUBSCRIPTION = Subscription(exchanges=(EXCHANGE,), topics=(TOPIC,), exchanges_durable=True)

Tell = Callable[[str], None]


class Death:
    """Kills this process, as kill -9 does, when it has come to a point so many times."""

    def __init__(self, point: str, times: int) -> None:
        self._point = point
        self._left = times

    def __call__(self, point: str) -> None:
        self._left -= point == self._point
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def consume(bus: str, store: str, tell: Tell = lambda point: None, *, batch: int = 5) -> int:
    """Consume all that waits, telling each point that is come to; how many messages were delivered again."""
    metrics = Metrics()
    _tell_of_transactions(tell)
    with timeline.open(store) as engine:
        source = Telling(Amqp(bus, SUBSCRIPTION, prefetch=4 * batch, metrics=metrics), tell, "take", "acknowledge")
        driver = Telling(engine.driver, tell, "put", "append")
        Engine(driver, engine.definitions).consume(source, batch=batch, until_empty=True)  # type: ignore[arg-type]
    return metrics.told().tally.redelivered


class Telling:
    """Anything, as it is, but for some of its calls: before and after these it is told that they are come to."""

    def __init__(self, inner: Any, tell: Tell, *names: str) -> None:
        self._inner = inner
        self._tell = tell
        self._names = names

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def called(*words: Any, **named: Any) -> Any:
            # a statement is known by its first word, another call by its name
            point = words[0].split()[0].lower() if name == "execute" else name
            self._tell(f"before {point}")
            answer = found(*words, **named)
            self._tell(f"after {point}")
            return answer

        return called


def _tell_of_transactions(tell: Tell) -> None:
    """Tell, in this process from now on, before and after each statement that begins or commits a transaction."""
    enter = Lease.__enter__

    def entered(lease: Lease) -> Any:
        return Telling(enter(lease), tell, "execute")

    Lease.__enter__ = entered  # type: ignore[method-assign]
