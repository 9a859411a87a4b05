"""Messages out of AMQP's frames, in bulk: what py-amqp does for each message, without what nobody here asks for.

A delivery is three frames: the method, with its tag; the header, with the length of the body; and the body, in pieces.
py-amqp asks the system nine times for one of them, and decodes properties and headers that are no part of a
notification, and that may not even be decodable. Here the system is asked for as much as there is, and of a delivery
only what is needed is looked at. Every other frame is py-amqp's. ``benchmarks/bus.py`` shows what that is worth.
"""

from __future__ import annotations

import hashlib
import ssl
from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple

from amqp.exceptions import UnexpectedFrame
from amqp.method_framing import frame_handler
from amqp.transport import TCPTransport
from kombu.transport import pyamqp

from timeline.model import limits

_METHOD, _HEADER, _BODY = 1, 2, 3
_FRAME_END = 0xCE
_START = Struct(">BHI")
_OVERHEAD = _START.size + 1
_DELIVER = Struct(">HH").pack(60, 60)
_LONG = Struct(">Q")
_AT_ONCE = 256 * 1024
"""The bytes that the system is asked for at once."""


class Delivery(NamedTuple):
    """One message as the broker delivered it."""

    tag: int
    """By which it is acknowledged, on the channel that delivered it."""
    redelivered: bool
    route: bytes
    """The exchange and the routing key, each after a byte with its length."""
    data: bytes
    """The body, or its first bytes where it is longer than a notification may be."""
    size: int | None
    """The length of the whole body in bytes, where it is longer."""
    digest: bytes | None
    """The SHA-256 of the whole body, where it is longer."""


class Secured(NamedTuple):
    """What a connection with TLS is made with."""

    context: ssl.SSLContext
    host: str
    """The name that the peer has to prove: kombu connects to an address where it is ``localhost``."""


class Connection(pyamqp.Connection):  # type: ignore[misc]
    """A connection whose deliveries wait in :attr:`deliveries`; they reach no callback of a consumer."""

    def __init__(self, *, secured: Secured | None, patience: float, **settings: Any) -> None:
        super().__init__(frame_handler=_Frames, **settings)
        self.deliveries: deque[Delivery] = deque()
        self._secured = secured
        self._patience = patience

    def Transport(self, host: str, connect_timeout: float, *args: Any, **settings: Any) -> TCPTransport:  # noqa: N802 - py-amqp's
        return _Transport(host, connect_timeout=connect_timeout, secured=self._secured, patience=self._patience)

    def drain_events(self, timeout: float | None = None) -> None:
        """Read until something has come, and then all that is at hand. Raises TimeoutError where nothing came."""
        transport, handle = self.transport, self.on_inbound_frame
        came = False
        while not came:
            with transport.having_timeout(timeout):
                frame = transport.read_frame()
            came = handle(frame)
            while transport.has_more():
                came |= handle(transport.read_frame())


class Transport(pyamqp.Transport):  # type: ignore[misc]
    """What makes kombu use these connections."""

    Connection = Connection


class _Transport(TCPTransport):  # type: ignore[misc]
    """Reads frames out of a buffer. Any other wait than that for a delivery ends after ``patience`` seconds."""

    sock: Any

    def __init__(self, host: str, *, connect_timeout: float, secured: Secured | None, patience: float) -> None:
        super().__init__(host, connect_timeout=connect_timeout)
        self._secured = secured
        self._patience = patience
        self._held = b""
        self._at = 0

    def connect(self) -> None:
        super().connect()
        # a connection of which one half is open answers nothing, and takes what is sent until its buffers are full
        self.sock.settimeout(self._patience)

    def _setup_transport(self) -> None:
        if self._secured is not None:
            self.sock.settimeout(self.connect_timeout)
            self.sock = self._secured.context.wrap_socket(self.sock, server_hostname=self._secured.host)
        super()._setup_transport()

    def has_more(self) -> bool:
        """Whether a whole frame is at hand."""
        left = len(self._held) - self._at
        return left >= _OVERHEAD and left >= _OVERHEAD + _START.unpack_from(self._held, self._at)[2]

    def read_frame(self) -> tuple[int, int, bytes]:
        """The type, channel and payload of the next frame. Raises TimeoutError, and OSError where the peer is gone."""
        while True:
            held, at = self._held, self._at
            if len(held) - at >= _OVERHEAD:
                kind, channel, size = _START.unpack_from(held, at)
                end = at + _OVERHEAD + size
                if len(held) >= end:
                    if held[end - 1] != _FRAME_END:
                        raise UnexpectedFrame(f"a frame ends in {held[end - 1]:#04x}")
                    self._at = end
                    return kind, channel, held[at + _START.size : end - 1]
            came = self.sock.recv(_AT_ONCE)
            if not came:
                self.connected = False
                raise ConnectionResetError("the broker closed the connection")
            self._held = held[at:] + came
            self._at = 0


class _Frames:
    """Takes the frames of a connection: deliveries into its queue, all else to py-amqp."""

    def __init__(self, connection: Connection, callback: Callable[..., None]) -> None:
        self._connection = connection
        self._others = frame_handler(connection, callback)
        self._coming: _Coming | None = None

    def __call__(self, frame: tuple[int, int, bytes]) -> bool:
        """Whether that was the last frame of something."""
        kind, _, payload = frame
        coming = self._coming
        if coming is None:
            if kind != _METHOD or not payload.startswith(_DELIVER):
                return bool(self._others(frame))
            self._connection.bytes_recv += 1
            self._coming = _Coming(payload)
            return False
        if kind == _HEADER and coming.left is None:
            coming.begin(_LONG.unpack_from(payload, 4)[0])
        elif kind == _BODY and coming.left is not None:
            coming.add(payload)
        elif kind in (_METHOD, _HEADER, _BODY):
            raise UnexpectedFrame(f"a frame of type {kind} came within a message")
        else:  # a heartbeat may come between any two
            return bool(self._others(frame))
        self._connection.bytes_recv += 1
        if coming.left:
            return False
        self._coming = None
        self._connection.deliveries.append(coming.delivery())
        return True


class _Coming:
    """A delivery of which not all frames have come. Of a body beyond the limit the first bytes are kept."""

    def __init__(self, method: bytes) -> None:
        self.left: int | None = None
        """The bytes that are still to come; nothing before the header."""
        self._method = method
        self._size = 0
        self._pieces: list[bytes] = []
        self._kept = 0
        self._digest: hashlib._Hash | None = None

    def begin(self, size: int) -> None:
        self.left = self._size = size
        if size > limits.NOTIFICATION_BYTES:
            self._digest = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        assert self.left is not None
        if len(piece) > self.left:
            raise UnexpectedFrame("more of a message came than was announced")
        self.left -= len(piece)
        if self._digest is None:
            self._pieces.append(piece)
            return
        self._digest.update(piece)
        if self._kept < limits.KEPT_BYTES:
            self._pieces.append(piece[: limits.KEPT_BYTES - self._kept])
            self._kept += len(self._pieces[-1])

    def delivery(self) -> Delivery:
        method, at = self._method, 5 + self._method[4]  # after the method's id, and the tag of the consumer
        return Delivery(
            tag=_LONG.unpack_from(method, at)[0],
            redelivered=bool(method[at + 8] & 1),
            route=method[at + 9 :],
            data=self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces),
            size=None if self._digest is None else self._size,
            digest=None if self._digest is None else self._digest.digest(),
        )
