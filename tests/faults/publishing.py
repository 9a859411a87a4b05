"""Who publishes, and knows what the broker has confirmed: that, and nothing else, may not be lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from time import monotonic, sleep
from typing import Any

import amqp
import kombu

EXCHANGE, TOPIC = "nova", "notifications"
_PATIENCE = 120.0
"""Seconds that a broker may be away."""
_WINDOW = 100
"""Messages that are sent before the first of them has to be confirmed."""


class Publisher:
    """Publishes to the exchange ``nova``, persistently, each message until it is confirmed: so one may come twice.

    ``queues`` are made and bound before the first message, as publishers of notifications do: what is published before
    a consumer has ever been there waits for it.
    """

    def __init__(self, url: str, queues: Sequence[str] = ("timeline",), *, quorum: bool = False) -> None:
        self.confirmed: list[bytes] = []
        self._url = url
        self._queues = queues
        self._arguments = {"x-queue-type": "quorum"} if quorum else {}
        self._connection: kombu.Connection | None = None
        self._channel: Any = None
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._tag = 0
        self._within(self._connect)

    def publish(self, messages: Iterable[bytes], priority: str = "info") -> None:
        """Publish these, and return when all are confirmed."""
        for message in messages:
            self._waiting.append((0, message))
            if len(self._waiting) >= _WINDOW:
                self._within(lambda: self._send(priority))
        self._within(lambda: self._send(priority))

    def close(self) -> None:
        """Give back the connection."""
        if self._connection is not None:
            self._connection.release()

    def _send(self, priority: str) -> None:
        if self._connection is None:
            self._connect()
        unsent = [message for tag, message in self._waiting if not tag]
        first = self._tag + 1
        self._tag += len(unsent)
        # what is sent while others are confirmed may be confirmed too before the last is sent
        self._waiting = deque([*(held for held in self._waiting if held[0]), *enumerate(unsent, first)])
        for message in unsent:
            self._channel.basic_publish(
                amqp.Message(message, delivery_mode=2, content_type="application/json"), EXCHANGE, f"{TOPIC}.{priority}"
            )
        while self._waiting:
            assert self._connection is not None
            self._connection.drain_events(timeout=30)

    def _heard(self, tag: int, multiple: bool) -> None:
        """The broker has taken a message, or all up to that one."""
        for held in [held for held in self._waiting if held[0] == tag or (multiple and 0 < held[0] <= tag)]:
            self._waiting.remove(held)
            self.confirmed.append(held[1])

    def _connect(self) -> None:
        self._connection = kombu.Connection(self._url, connect_timeout=5)
        self._channel = self._connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._heard)
        self._tag = 0
        self._waiting = deque((0, message) for _, message in self._waiting)
        exchange = kombu.Exchange(EXCHANGE, "topic", durable=True)(self._channel)
        exchange.declare()
        for name in self._queues:
            queue = kombu.Queue(name, durable=True, queue_arguments=self._arguments)(self._channel)
            queue.queue_declare()
            for priority in ("info", "error"):
                self._channel.queue_bind(name, EXCHANGE, f"{TOPIC}.{priority}")

    def _within(self, action: Any) -> None:
        """Do it, again and again while the broker is away."""
        until = monotonic() + _PATIENCE
        while True:
            try:
                action()
                return
            except (OSError, amqp.AMQPError):
                if monotonic() > until:
                    raise
                if self._connection is not None:
                    self._connection.collect()
                    self._connection = None
                sleep(0.1)  # between two tries to reach a broker that is away


def waiting(url: str, queue: str = "timeline") -> int:
    """How many messages wait in a queue, those that somebody holds aside."""
    with kombu.Connection(url, connect_timeout=5) as connection:
        return int(connection.channel().queue_declare(queue, passive=True).message_count)
