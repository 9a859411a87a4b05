"""Frames into messages: the same ones wherever the stream of bytes is cut, and never more held than a notification."""

from __future__ import annotations

import hashlib
import itertools
import socket
from collections import deque
from collections.abc import Iterator
from struct import pack
from threading import Thread
from typing import Any

import pytest
from amqp.exceptions import UnexpectedFrame
from hypothesis import given
from hypothesis import strategies as st

from timeline.consumers.amqp.frames import Connection, Delivery, _Frames, _Transport
from timeline.model import limits

FRAME_MAX = 131_064


def frame(kind: int, payload: bytes, channel: int = 1, end: int = 0xCE) -> bytes:
    return pack(">BHI", kind, channel, len(payload)) + payload + bytes([end])


def short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def method(tag: int, *, redelivered: bool = False, exchange: str = "nova", key: str = "notifications.info") -> bytes:
    return pack(">HH", 60, 60) + short("consumer") + pack(">QB", tag, redelivered) + short(exchange) + short(key)


def delivered(tag: int, body: bytes, *, size: int | None = None, piece: int = FRAME_MAX, **how: Any) -> bytes:
    header = pack(">HHQ", 60, 0, len(body) if size is None else size) + b"\x00\x00"
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)]
    return b"".join([frame(1, method(tag, **how)), frame(2, header), *(frame(3, each) for each in pieces)])


HEARTBEAT = frame(8, b"", channel=0)


class Wire:
    """Both ends of a connection, of which ours is read as py-amqp would have it read."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        ours.settimeout(10)
        self.connection = Connection(secured=None, patience=10.0)
        self.transport = _Transport("nowhere", connect_timeout=1.0, secured=None, patience=10.0)
        self.transport.sock = ours
        self.frames = _Frames(self.connection, lambda *_: None)

    @property
    def deliveries(self) -> deque[Delivery]:
        return self.connection.deliveries

    def read(self, frames: int) -> None:
        for _ in range(frames):
            self.frames(self.transport.read_frame())

    def read_whole(self, stream: bytes, *, cuts: list[int] | None = None) -> None:
        """Read all frames of a stream, which comes in pieces."""
        edges = [0, *sorted(cuts or []), len(stream)]

        def send() -> None:
            for start, end in itertools.pairwise(edges):
                self.theirs.sendall(stream[start:end])
            self.theirs.shutdown(socket.SHUT_WR)

        sending = Thread(target=send)
        sending.start()
        with pytest.raises(ConnectionResetError):
            self.read(1_000_000)
        sending.join()

    def close(self) -> None:
        self.transport.sock.close()
        self.theirs.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


@given(
    bodies=st.lists(st.binary(max_size=40), min_size=1, max_size=4),
    piece=st.integers(1, 20),
    data=st.data(),
    beats=st.booleans(),
)
def test_wherever_the_stream_is_cut_the_messages_are_the_same(
    bodies: list[bytes], piece: int, data: st.DataObject, beats: bool
) -> None:
    parts = [delivered(tag, body, piece=piece) for tag, body in enumerate(bodies, 1)]
    stream = (HEARTBEAT if beats else b"").join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    wire = Wire()
    try:
        wire.read_whole(stream, cuts=cuts)
        assert [(each.tag, each.data) for each in wire.deliveries] == [*enumerate(bodies, 1)]
    finally:
        wire.close()


def test_a_delivery_has_its_tag_its_route_and_whether_it_came_before(wire: Wire) -> None:
    wire.read_whole(delivered(7, b"{}", redelivered=True, exchange="nova", key="notifications.error"))
    route = b"\x04nova\x13notifications.error"
    assert [*wire.deliveries] == [Delivery(7, True, route, b"{}", None, None)]


def test_a_heartbeat_may_come_in_the_midst_of_a_message(wire: Wire) -> None:
    whole = delivered(1, b"0123456789", piece=5)
    for at in (len(frame(1, method(1))), len(whole) - len(frame(3, b"01234"))):
        wire.theirs.sendall(whole[:at] + HEARTBEAT + whole[at:])
        wire.read(5)
    assert [each.data for each in wire.deliveries] == [b"0123456789"] * 2


def test_what_has_no_body_is_a_message_all_the_same(wire: Wire) -> None:
    wire.read_whole(delivered(1, b"") + delivered(2, b"x"))
    assert [each.data for each in wire.deliveries] == [b"", b"x"]


@pytest.mark.parametrize("over", [1, limits.NOTIFICATION_BYTES])
def test_of_a_message_that_is_too_long_the_beginning_the_length_and_the_digest_are_kept(wire: Wire, over: int) -> None:
    body = bytes(range(256)) * ((limits.NOTIFICATION_BYTES + over) // 256 + 1)
    wire.read_whole(delivered(1, body))
    (only,) = wire.deliveries
    assert (only.data, only.size) == (body[: limits.KEPT_BYTES], len(body))
    assert only.digest == hashlib.sha256(body).digest()


def test_a_message_of_the_longest_length_is_kept_whole(wire: Wire) -> None:
    body = b"x" * limits.NOTIFICATION_BYTES
    wire.read_whole(delivered(1, body))
    (only,) = wire.deliveries
    assert (only.data, only.size, only.digest) == (body, None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        frame(1, method(1)) + frame(1, method(2)),
        frame(1, method(1)) + frame(3, b"x"),
        delivered(1, b"x", size=2)[:-9] + frame(2, pack(">HHQ", 60, 0, 1)),
        delivered(1, b"xyz", size=2),
        frame(1, method(1), end=0xCD),
    ],
    ids=["method in a message", "body before header", "header twice", "more than announced", "no end of a frame"],
)
def test_what_breaks_the_protocol_is_no_message(wire: Wire, wrong: bytes) -> None:
    wire.theirs.sendall(wrong)
    with pytest.raises(UnexpectedFrame):
        wire.read(4)
    assert not wire.deliveries


def test_nothing_within_the_time_leaves_what_has_come_so_far(wire: Wire) -> None:
    whole = delivered(1, b"0123456789")
    wire.transport.sock.settimeout(0.01)
    wire.theirs.sendall(whole[:-4])
    with pytest.raises(TimeoutError):
        wire.read(4)
    wire.theirs.sendall(whole[-4:])
    wire.read(1)
    assert [each.data for each in wire.deliveries] == [b"0123456789"]
