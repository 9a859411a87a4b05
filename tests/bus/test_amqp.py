"""Messages of a real broker: what is declared, what is taken, what comes again, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import amqp
import kombu
import msgspec
import pytest

import timeline
from tests.bus.nova import notification
from tests.servers import own, place
from timeline.consumers.amqp import Amqp, Subscription
from timeline.errors import BusDenied, BusError, BusUnavailable
from timeline.metrics import Metrics

NOVA = Subscription(exchanges=("nova",), topics=("notifications",), priorities=("info", "error"))


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with place("rabbitmq") as url:
        yield url


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Of the queue of this test."""
    return f"timeline.{request.node.name}"[:200]


@contextmanager
def channel(url: str) -> Iterator[Any]:
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        yield connection.channel()


def publish(url: str, *messages: bytes, exchange: str = "nova", key: str = "notifications.info", **how: Any) -> None:
    """Publish, and return when the broker has them."""
    with channel(url) as open_channel:
        for message in messages:
            said = {"content_type": "application/json", "delivery_mode": 2, **how}
            open_channel.basic_publish(amqp.Message(message, **said), exchange, key)


def waiting(url: str, queue: str) -> int:
    with channel(url) as open_channel:
        return int(open_channel.queue_declare(queue, passive=True).message_count)


def taken(source: Amqp, count: int, *, at_once: int = 1_000) -> list[bytes]:
    """So many messages of a source; fails where they do not come."""
    found: list[bytes] = []
    for _ in range(300):
        messages = source.take(min(at_once, count - len(found)), 1 << 30, 0.1)
        assert messages is not None
        found += [message.data for message in messages]
        if len(found) >= count:
            return found
    raise AssertionError(f"{len(found)} of {count} came")


def opened(source: Amqp) -> Amqp:
    """Connect, and take nothing yet."""
    assert source.take(0, 0, 0.0) == []
    return source


@contextmanager
def subscribed(url: str, queue: str, **how: Any) -> Iterator[Amqp]:
    settings = {field: how.pop(field) for field in NOVA.__struct_fields__ if field in how}
    source = Amqp(url, msgspec.structs.replace(NOVA, queue=queue, **settings), **how)
    try:
        yield opened(source)
    finally:
        source.close()


def test_messages_come_in_their_order_as_they_were_sent_with_where_they_came_from(broker: str, name: str) -> None:
    with subscribed(broker, name) as source:
        bodies = [b"{}", b"", b"\xff\x00 no JSON", "ü".encode(), b"x" * 300_000]
        publish(broker, *bodies)
        messages = []
        while len(messages) < len(bodies):
            messages += source.take(2, 1 << 30, 5.0) or []
        assert [message.data for message in messages] == bodies
        assert {message.origin for message in messages} == {"nova/notifications.info"}
        source.acknowledge(source.mark)


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(broker: str, name: str) -> None:
    bodies = [str(number).encode() for number in range(10)]
    with subscribed(broker, name) as source:
        publish(broker, *bodies)
        taken(source, 4, at_once=2)
        assert source.acknowledge(source.mark)
        assert taken(source, 3) == bodies[4:7]
    metrics = Metrics()
    with subscribed(broker, name, metrics=metrics) as source:
        assert taken(source, 6) == bodies[4:]
        assert source.acknowledge(source.mark)
    assert (metrics.told().tally.read, metrics.told().tally.redelivered) == (6, 6)
    assert waiting(broker, name) == 0


def test_what_is_given_back_comes_again_and_a_mark_of_before_acknowledges_nothing(broker: str, name: str) -> None:
    with subscribed(broker, name) as source:
        publish(broker, b"1", b"2", b"3")
        taken(source, 3)
        mark = source.mark
        source.give_back()
        assert not source.acknowledge(mark)
        assert taken(source, 3) == [b"1", b"2", b"3"]
        assert not source.acknowledge(mark), "its tags mean other messages now"
    assert waiting(broker, name) == 3


def test_the_mark_of_before_anything_was_taken_acknowledges_nothing(broker: str, name: str) -> None:
    with subscribed(broker, name) as source:
        mark = source.mark
        publish(broker, b"1", b"2")
        while waiting(broker, name):  # until they were delivered
            source.tick()
        assert not source.acknowledge(mark)
    assert waiting(broker, name) == 2


def test_no_more_is_delivered_than_may_be_held(broker: str, name: str) -> None:
    with subscribed(broker, name, prefetch=5) as source:
        publish(broker, *[b"x"] * 8)
        assert len(taken(source, 5)) == 5
        assert source.take(10, 1 << 30, 0.2) == []
        assert waiting(broker, name) == 3
        source.acknowledge(source.mark)
        assert len(taken(source, 3)) == 3


def test_a_source_is_empty_when_neither_the_broker_nor_it_holds_any(broker: str, name: str) -> None:
    with subscribed(broker, name, prefetch=2) as source:
        assert source.is_empty()
        publish(broker, b"1", b"2", b"3")
        assert not source.is_empty()
        for _ in range(3):
            taken(source, 1)
            source.acknowledge(source.mark)
        assert source.is_empty()


@pytest.mark.parametrize("key", ["notifications.info", "notifications.error"])
def test_every_topic_and_priority_that_was_asked_for_is_bound(broker: str, name: str, key: str) -> None:
    with subscribed(broker, name) as source:
        publish(broker, b"another", key="notifications.sample")
        publish(broker, b"this", key=key)
        assert taken(source, 1) == [b"this"]
        source.acknowledge(source.mark)


def test_unless_told_otherwise_everything_that_openstack_sends_is_bound(broker: str, name: str) -> None:
    routes = [
        ("nova", "notifications.info"),
        ("nova", "versioned_notifications.error"),
        ("ironic", "ironic_versioned_notifications.info"),
        ("octavia", "notifications.warn"),
        ("manila", "notifications.info"),
        ("designate", "notifications.audit"),
        ("openstack", "notifications.critical"),
        ("keystone", "notifications.debug"),
    ]
    source = opened(Amqp(broker, Subscription(queue=name)))
    try:
        for exchange, key in routes:
            publish(broker, b"x", exchange=exchange, key=key)
        origins = []
        while len(origins) < len(routes):
            origins += [message.origin for message in source.take(100, 1 << 30, 5.0) or []]
        assert origins == [f"{exchange}/{key}" for exchange, key in routes]
    finally:
        source.close()


@pytest.mark.parametrize("durable", [True, False])
def test_an_exchange_that_is_there_is_taken_as_it_is_made(broker: str, name: str, durable: bool) -> None:
    exchange = f"cloud-{durable}"
    with channel(broker) as open_channel:
        kombu.Exchange(exchange, "topic", durable=durable)(open_channel).declare()
    with subscribed(broker, name, exchanges=(exchange,), exchanges_durable=not durable) as source:
        publish(broker, b"1", exchange=exchange)
        assert taken(source, 1) == [b"1"]


@pytest.mark.parametrize("durable", [True, False])
def test_an_exchange_that_is_not_there_is_made_as_the_services_make_theirs(
    broker: str, name: str, durable: bool
) -> None:
    exchange = f"new-{durable}"
    with subscribed(broker, name, exchanges=(exchange,), exchanges_durable=durable), channel(broker) as open_channel:
        kombu.Exchange(exchange, "topic", durable=durable)(open_channel).declare()  # what differs is refused


@pytest.mark.parametrize(
    ("made", "how"),
    [
        ({"durable": True}, {}),
        ({"durable": False}, {"durable": False}),
        ({"durable": True, "queue_arguments": {"x-queue-type": "quorum"}}, {"quorum": True}),
    ],
    ids=["durable", "transient", "quorum"],
)
def test_a_queue_is_made_as_it_was_asked_for_and_taken_as_it_is_after_that(
    broker: str, name: str, made: dict[str, Any], how: dict[str, Any]
) -> None:
    with subscribed(broker, name, **how) as source, channel(broker) as open_channel:
        kombu.Queue(name, **made)(open_channel).queue_declare()  # what differs is refused
        publish(broker, b"1")
        assert taken(source, 1) == [b"1"]
        source.acknowledge(source.mark)
    for other in ({}, {"durable": False}, {"quorum": True}, {"passive": True}):
        with subscribed(broker, name, **other) as source:
            publish(broker, b"2")
            assert taken(source, 1) == [b"2"]
            source.acknowledge(source.mark)


def test_a_passive_source_makes_nothing_and_binds_nothing(broker: str, name: str) -> None:
    source = Amqp(broker, Subscription(exchanges=("unheard-of",), queue=name, passive=True))
    with pytest.raises(BusError, match="no queue"):
        source.take(1, 1, 0.0)
    with channel(broker) as open_channel:
        kombu.Queue(name, durable=True)(open_channel).queue_declare()
    with subscribed(broker, name, exchanges=("unheard-of",), passive=True) as source:
        publish(broker, b"1", exchange="", key=name)
        assert taken(source, 1) == [b"1"]
    with channel(broker) as open_channel, pytest.raises(Exception, match="no exchange 'unheard-of'"):
        open_channel.exchange_declare("unheard-of", "topic", passive=True)


def test_two_groups_get_everything_each_and_two_of_a_group_share(broker: str, name: str) -> None:
    bodies = [str(number).encode() for number in range(20)]
    groups = (f"{name}-one", f"{name}-other")
    with (
        subscribed(broker, groups[0], prefetch=2) as one,
        subscribed(broker, groups[0], prefetch=2) as beside,
        subscribed(broker, groups[1]) as other,
    ):
        publish(broker, *bodies)
        assert taken(other, 20) == bodies
        shared: list[list[bytes]] = [[], []]
        while sum(map(len, shared)) < 20:
            for mine, source in zip(shared, (one, beside), strict=True):
                mine += [message.data for message in source.take(2, 1 << 30, 0.05) or []]
                source.acknowledge(source.mark)
        assert sorted(shared[0] + shared[1], key=int) == bodies
        assert all(shared)


@pytest.mark.parametrize(
    "how",
    [
        {"content_type": "application/x-python-serialize"},
        {"content_encoding": "nonsense"},
        {"content_type": "application/data", "content_encoding": "binary"},
        {"application_headers": {"traceparent": "00-\N{SNOWMAN}", "n": None, "deep": {"a": [1, {"b": 2}]}}},
        {"application_headers": {"compression": "application/x-gzip"}},
    ],
    ids=str,
)
def test_what_the_properties_of_a_message_say_does_not_matter(broker: str, name: str, how: dict[str, Any]) -> None:
    with subscribed(broker, name) as source:
        publish(broker, b'{"a": 1}', **how)
        assert taken(source, 1) == [b'{"a": 1}']


def test_a_tenant_cannot_have_his_notification_thrown_away_by_the_names_of_his_metadata(broker: str, name: str) -> None:
    metadata = {"__type__": "x", "__value__": "y"}
    with timeline.open("memory:") as engine:
        opened(source := Amqp(broker, Subscription(exchanges=("nova",), queue=name)))
        publish(broker, notification(1, metadata=metadata))
        counts = engine.consume(source, until_empty=True)
        assert (counts.in_scope, counts.quarantined) == (1, 0)
        state = engine.state("instance", "i-1", "2026-03-02")
        assert state.fields["metadata"] == metadata


def test_all_goes_on_by_itself_after_the_broker_was_restarted(name: str) -> None:
    with own("rabbitmq") as server, subscribed(server.url, name, quorum=True, heartbeat=5.0) as source:
        publish(server.url, b"1", b"2")
        assert taken(source, 2) == [b"1", b"2"]
        mark = source.mark
        server.stop()
        while source.take(1, 1 << 30, 0.1):
            pass
        assert not source.acknowledge(mark)
        server.start()
        assert taken(source, 2) == [b"1", b"2"]
        source.acknowledge(source.mark)


def test_a_queue_that_is_deleted_is_made_anew(broker: str, name: str) -> None:
    with subscribed(broker, name) as source:
        with channel(broker) as open_channel:
            open_channel.queue_delete(name)
        while source.take(1, 1 << 30, 0.1) or not _is_there(broker, name):
            pass
        publish(broker, b"1")
        assert taken(source, 1) == [b"1"]


def _is_there(url: str, queue: str) -> bool:
    try:
        waiting(url, queue)
    except amqp.NotFound:
        return False
    return True


def _with(**parts: str) -> Callable[[str], str]:
    def changed(url: str) -> str:
        said = urlsplit(url)
        user = parts.get("user", said.username)
        password = parts.get("password", said.password)
        place = f"{said.hostname}:{parts.get('port', said.port)}{parts.get('path', said.path)}"
        return f"{parts.get('scheme', said.scheme)}://{user}:{password}@{place}"

    return changed


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (_with(password="s3cret"), BusDenied, "refuses: ACCESS_REFUSED"),
        (_with(user="nobody", password="s3cret"), BusDenied, "refuses: ACCESS_REFUSED"),
        (_with(path="/no-such-host", password="guest"), BusDenied, "vhost no-such-host not found"),
        (_with(port="1", password="s3cret"), BusUnavailable, "Connection refused"),
        (_with(scheme="amqps", password="s3cret"), BusDenied, "TLS cannot be agreed upon"),
    ],
    ids=["password", "user", "virtual host", "port", "TLS"],
)
def test_a_broker_that_was_never_reached_is_an_error_which_names_it_and_no_password(
    broker: str, change: Callable[[str], str], error: type[BusError], said: str
) -> None:
    source = Amqp(change(broker))
    with pytest.raises(error, match=said) as refused:
        source.take(1, 1, 0.0)
    assert "s3cret" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


def test_of_several_nodes_one_that_answers_is_enough(broker: str, name: str) -> None:
    said = urlsplit(broker)
    several = f"amqp://{said.username}:{said.password}@127.0.0.1:1,{said.hostname}:{said.port}{said.path}"
    with subscribed(several, name) as source:
        publish(broker, b"1")
        assert taken(source, 1) == [b"1"]
