"""A channel to a broker that delivers what was subscribed to."""

from __future__ import annotations

import contextlib
import ssl
from typing import Any

import kombu
from amqp.exceptions import NotFound

from timeline.consumers.amqp.frames import Connection, Secured, Transport
from timeline.consumers.amqp.subscription import Subscription, Tls
from timeline.consumers.amqp.url import Broker

_CONNECT = 5.0
"""Seconds that a broker may take to answer who connects."""

_PATIENCE = 10.0
"""Seconds that it may take to answer anything else, and to take what is sent."""

_LEAVE = 2.0
"""Seconds that it may take to take leave: nothing depends on it."""

_BOUNDED_RETURNS = 4
"""The first version of RabbitMQ that throws away what comes back to a quorum queue for the twentieth time."""


class Channel:
    """One connection with one channel, on which a queue is consumed. Raises whatever kombu and py-amqp do."""

    def __init__(
        self, broker: Broker, subscription: Subscription, *, prefetch: int, heartbeat: float, tls: ssl.SSLContext | None
    ) -> None:
        self._subscription = subscription
        self._kombu = kombu.Connection(
            hostname=broker.host,
            port=broker.port,
            userid=broker.user,
            password=broker.password,
            virtual_host=broker.vhost,
            heartbeat=heartbeat,
            connect_timeout=_CONNECT,
            transport=Transport,
            login_method="PLAIN",
            transport_options={
                "secured": None if tls is None else Secured(tls, broker.host),
                "patience": _PATIENCE,
                "client_properties": {"connection_name": f"timeline: {subscription.queue}"},
            },
        )
        try:
            self._connection: Connection = self._kombu.transport.establish_connection()
            self._channel = self._connection.channel()
            self.queue = self._declared()
            self._channel.basic_qos(prefetch_size=0, prefetch_count=prefetch, a_global=False)
            self._channel.basic_consume(self.queue, consumer_tag="timeline")
        except BaseException:
            self.drop()
            raise
        self.deliveries = self._connection.deliveries

    def drain(self, within: float) -> bool:
        """Read what comes, and show that we are alive; whether anything came within so many seconds."""
        try:
            self._connection.drain_events(timeout=within or 1e-6)  # zero would not even look
            came = True
        except TimeoutError:
            came = False
        self._connection.heartbeat_tick()
        return came

    def acknowledge(self, tag: int) -> None:
        """Acknowledge everything up to this tag."""
        self._channel.basic_ack(tag, multiple=True)

    def waiting(self) -> int:
        """How many messages wait in the queue, those that were delivered aside."""
        return int(self._channel.queue_declare(self.queue, passive=True).message_count)

    def close(self) -> None:
        """Take leave of the broker; what was not acknowledged is delivered again."""
        with contextlib.suppress(Exception):  # the broker may be gone, and hears of it by the end of the connection
            self._connection.transport.sock.settimeout(_LEAVE)
            self._connection.close()
        self.drop()

    def drop(self) -> None:
        """End the connection without a word: nothing is waited for."""
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.collect()

    def _declared(self) -> str:
        """The queue, made and bound where that is ours to do. What is there is taken as it is: its maker knows why."""
        wanted = self._subscription
        if wanted.passive:
            self._channel.queue_declare(wanted.queue, passive=True)
            return wanted.queue
        if not self._is_there("queue_declare", wanted.queue):
            kombu.Queue(
                wanted.queue,
                durable=wanted.durable or wanted.quorum,
                queue_arguments=self._arguments(),
            )(self._channel).queue_declare()
        for exchange in wanted.exchanges:
            if not self._is_there("exchange_declare", exchange, "topic"):
                kombu.Exchange(exchange, "topic", durable=wanted.exchanges_durable)(self._channel).declare()
            for key in wanted.routing_keys():
                self._channel.queue_bind(wanted.queue, exchange, key)
        return wanted.queue

    def _is_there(self, declare: str, *words: str) -> bool:
        # a refused question closes its channel, so it is asked on one of its own
        with contextlib.closing(self._connection.channel()) as channel:
            try:
                getattr(channel, declare)(*words, passive=True)
            except NotFound:
                return False
            return True

    def _arguments(self) -> dict[str, Any]:
        if not self._subscription.quorum:
            return {}
        version = str(self._connection.server_properties.get("version", ""))
        major = version.partition(".")[0]
        bounded = major.isdigit() and int(major) >= _BOUNDED_RETURNS
        return {"x-queue-type": "quorum"} | ({"x-delivery-limit": -1} if bounded else {})


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What TLS is made with: verified unless told otherwise, version 1.2 at least. Raises OSError for its files."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context
