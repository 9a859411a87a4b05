"""What the run loop and the source tell about their work."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING

from timeline import clock
from timeline.metrics.numbers import COMMIT_SECONDS, LAG_SECONDS, Standing, Tally, Told, count, plus

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Metrics:
    """The numbers of this process. Any thread may tell, and any may ask; each call costs microseconds.

    With a ``registry`` of prometheus_client they are collected from there too. Raises
    :class:`~timeline.errors.PackageMissing` where one is given and prometheus_client is not installed.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._lock = threading.Lock()
        self._tally = Tally()
        self._standing = Standing()
        if registry is not None:
            from timeline.metrics.exposition import register

            register(lambda: [self.told()], registry)

    def told(self) -> Told:
        """What was told until now, as numbers of its own."""
        with self._lock:
            standing = self._standing
            return Told(
                self._tally + Tally(),
                Standing(
                    alive=standing.alive,
                    connected=standing.connected,
                    store_available=standing.store_available,
                    unacknowledged=standing.unacknowledged,
                    committed_at=standing.committed_at,
                    turned_at=standing.turned_at,
                    turned=standing.turned,
                ),
            )

    def received(self, messages: int, redelivered: int) -> None:
        """So many messages came from the bus, some of them not for the first time."""
        with self._lock:
            self._tally.read += messages
            self._tally.redelivered += redelivered

    def committed(
        self,
        *,
        in_scope: int,
        out_of_scope: int,
        quarantined: Mapping[str, int],
        events: int | None,
        bodies: int | None,
        duplicates: int | None,
        unreadable_fields: int,
        seconds: float,
        lags: Iterable[int],
    ) -> None:
        """A batch is durable: what became of its messages, and that the store answers.

        ``quarantined`` is by reason; ``events``, ``bodies`` and ``duplicates`` are ``None`` where the store cannot
        tell; ``seconds`` is how long storing took; ``lags`` are recorded_at less occurred_at of its events, in
        microseconds.
        """
        with self._lock:
            tally = self._tally
            tally.in_scope += in_scope
            tally.out_of_scope += out_of_scope
            count(tally.quarantined, quarantined)
            tally.events = plus(tally.events, events)
            tally.bodies = plus(tally.bodies, bodies)
            tally.repeats = plus(tally.repeats, None if events is None or bodies is None else events - bodies)
            tally.duplicates = plus(tally.duplicates, duplicates)
            tally.unreadable_fields += unreadable_fields
            tally.commits.add((seconds,), COMMIT_SECONDS)
            tally.lags.add((lag / clock.SECOND for lag in lags), LAG_SECONDS)
            self._standing.committed_at = clock.now()
            self._standing.store_available = True

    def unacknowledged(self, messages: int) -> None:
        """So many messages are held that came and are not acknowledged."""
        with self._lock:
            self._standing.unacknowledged = messages

    def connected(self, yes: bool) -> None:
        """Whether the source is subscribed to the bus."""
        with self._lock:
            self._standing.connected = yes

    def reconnected(self) -> None:
        """The connection to the bus was lost and is there again."""
        with self._lock:
            self._tally.reconnects += 1

    def store_available(self, yes: bool) -> None:
        """Whether the store answered when it was last asked."""
        with self._lock:
            self._standing.store_available = yes

    def store_failed(self, error: str) -> None:
        """The store could not take a batch; ``error`` is the name of the error's class."""
        with self._lock:
            count(self._tally.store_errors, {error: 1})
            self._standing.store_available = False

    def stale(self, acknowledgements: int) -> None:
        """So many messages were not acknowledged, since the connection that they came by is gone."""
        with self._lock:
            self._tally.stale += acknowledgements

    def turned(self) -> None:
        """The run loop turned: it is not stuck."""
        with self._lock:
            self._standing.turned_at = clock.now()
            self._standing.turned = monotonic()
