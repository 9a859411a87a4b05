"""The source that is a queue of a broker."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from random import uniform
from ssl import SSLContext
from time import monotonic, sleep
from typing import TYPE_CHECKING, NamedTuple

from timeline.consumers.amqp.connecting import Channel, tls_context
from timeline.consumers.amqp.errors import translated
from timeline.consumers.amqp.frames import Delivery
from timeline.consumers.amqp.subscription import Subscription, Tls
from timeline.consumers.amqp.url import Broker, brokers
from timeline.consumers.source import Source
from timeline.errors import BusDenied, BusError
from timeline.model import Message

if TYPE_CHECKING:
    from timeline.metrics import Metrics

PREFETCH = 1_000
"""Messages that are delivered before any has to be acknowledged, unless told otherwise."""

HEARTBEAT = 60.0
"""Seconds: a peer that is silent for two of these is taken for gone."""

_LONGEST_PAUSE = 5.0
"""Seconds between two tries. What is published before a queue is bound again may reach nobody, so it is no long one."""
_ROUTES = 1_000
"""Routes whose text is remembered: there are as many as exchanges times routing keys, which are few."""

_log = logging.getLogger(__name__)


class Mark(NamedTuple):
    """The place up to which messages were taken: tags count anew on each connection."""

    connection: int
    tag: int


class Amqp(Source):
    """The messages of a queue, each until it is acknowledged. It connects when the first is taken.

    ``url`` is ``amqp://user:password@host:5672/vhost``, or ``amqps://``; several nodes of one broker have commas
    between them, and are tried one after the other. ``prefetch`` bounds the messages that are held here, and with their
    length the memory. ``heartbeat`` is in seconds.

    Raises :class:`~timeline.errors.BusUrlError`, and :class:`~timeline.errors.BusDenied` where files for TLS cannot be
    used.
    """

    def __init__(
        self,
        url: str,
        subscription: Subscription | None = None,
        *,
        prefetch: int = PREFETCH,
        heartbeat: float = HEARTBEAT,
        tls: Tls | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._brokers = brokers(url)
        self._subscription = subscription or Subscription()
        self._prefetch = prefetch
        self._heartbeat = heartbeat
        self._tls = _context(tls or Tls()) if self._brokers[0].tls else None
        self._metrics = metrics
        self._broker = self._brokers[0]
        self._channel: Channel | None = None
        self._connections = 0
        self._ready: deque[Delivery] = deque()
        self._tag = 0
        self._next_try = 0.0
        self._pauses = _pauses()
        self._routes: dict[bytes, str] = {}

    @property
    def ahead(self) -> int:
        return self._prefetch

    @property
    def mark(self) -> Mark:
        return Mark(self._connections, self._tag)

    def take(self, most: int, most_bytes: int, within: float) -> list[Message] | None:
        until = monotonic() + within
        if self._channel is None and not self._connected(within):
            return []
        self._try(lambda channel: self._ready or channel.drain(max(0.0, until - monotonic())))
        ready = self._ready
        taken: list[Message] = []
        size = again = 0
        while ready and len(taken) < most and size < most_bytes:
            delivery = ready.popleft()
            taken.append(Message(delivery.data, self._route(delivery.route), delivery.size, delivery.digest))
            size += len(delivery.data)
            again += delivery.redelivered
            self._tag = delivery.tag
        if taken and self._metrics is not None:
            self._metrics.received(len(taken), again)
        return taken

    def tick(self) -> None:
        self._try(lambda channel: channel.drain(0.0))

    def acknowledge(self, mark: object) -> bool:
        assert isinstance(mark, Mark)
        told = False

        def tell(channel: Channel) -> None:
            nonlocal told
            channel.acknowledge(mark.tag)
            told = True

        # to a broker the tag 0 means all that it has delivered, and to us that nothing of it was taken yet
        if mark.connection == self._connections and mark.tag:
            self._try(tell)
        return told

    def give_back(self) -> None:
        # all that was delivered goes back with the connection, at once and without a word that could be waited for
        self._lose()

    def is_empty(self) -> bool:
        left: list[int] = []
        self._try(lambda channel: left.append(channel.waiting()))
        return left == [0] and not self._ready

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._lose()

    def _connected(self, within: float) -> bool:
        """Whether there is a connection now. Between two tries pauses grow; of a pause no more is waited than asked."""
        left = self._next_try - monotonic()
        if left > 0:
            sleep(min(left, within))
            return False
        first = self._connections == 0
        for broker in self._brokers:
            try:
                with translated(broker):
                    self._channel = self._open(broker)
            except BusError as error:
                if first and broker is self._brokers[-1]:
                    raise
                self._wait_after(error)
                continue
            self._broker = broker
            self._connections += 1
            self._ready = self._channel.deliveries
            self._pauses = _pauses()
            _log.info("%s: takes messages of the queue %s", broker, self._channel.queue)
            self._tell_connected(True)
            if self._metrics is not None and not first:
                self._metrics.reconnected()
            return True
        return False

    def _open(self, broker: Broker) -> Channel:
        return Channel(broker, self._subscription, prefetch=self._prefetch, heartbeat=self._heartbeat, tls=self._tls)

    def _try(self, action: Callable[[Channel], object]) -> None:
        """Do something with the channel, if there is one; where it is lost with that, connect anew at the next take."""
        if self._channel is None:
            return
        try:
            with translated(self._broker):
                action(self._channel)
        except BusError as error:
            self._lose()
            self._wait_after(error)

    def _lose(self) -> None:
        """Drop the connection, and with it what was delivered by it and not taken: that is delivered again."""
        if self._channel is not None:
            self._channel.drop()
        self._channel = None
        self._ready = deque()
        self._tag = 0
        self._tell_connected(False)

    def _wait_after(self, error: BusError) -> None:
        pause = next(self._pauses)
        self._next_try = monotonic() + pause
        _log.warning("%s; it is tried again in %.1f s, and what was not acknowledged is delivered again", error, pause)

    def _tell_connected(self, yes: bool) -> None:
        if self._metrics is not None:
            self._metrics.connected(yes)

    def _route(self, route: bytes) -> str:
        """The exchange and the routing key, as a person reads them."""
        text = self._routes.get(route)
        if text is None:
            end = 1 + route[0]
            exchange, key = (part.decode("utf-8", "backslashreplace") for part in (route[1:end], route[end + 1 :]))
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            text = self._routes[route] = f"{exchange}/{key}"
        return text


def _pauses() -> Iterator[float]:
    """Seconds between two tries: longer each time, up to a bound, and by chance, so that many do not come at once."""
    pause = 0.5
    while True:
        yield pause * uniform(0.75, 1.25)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _context(tls: Tls) -> SSLContext:
    if not tls.verify:
        _log.warning("the broker's certificate is not verified: whoever answers may read and change what is sent")
    try:
        return tls_context(tls)
    except OSError as error:
        files = ", ".join(file for file in (tls.ca_file, tls.cert_file, tls.key_file) if file)
        raise BusDenied(f"{files}: these files cannot be used for TLS: {error}") from error
