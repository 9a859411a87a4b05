"""``/metrics``, ``/healthz`` and ``/readyz`` over HTTP, for Prometheus and for whoever watches over the process."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from timeline.errors import TimelineError
from timeline.metrics import exposition, health
from timeline.metrics.numbers import Told

_log = logging.getLogger(__name__)

_PATIENCE = 10.0
"""Seconds that who asks may take to ask."""

_TEXT = "text/plain; charset=utf-8"


class Serving:
    """A server in a thread of its own, from when it is made until it is closed.

    ``tell`` is called from threads of the server, and returns one :class:`Told` for each process. ``port`` 0 means any
    that is free: :attr:`port` names it. Whoever can reach the address may ask: it is for this machine, or for a network
    that is trusted.

    ========  =====================================================================================
    /metrics  the numbers, in the text format of Prometheus
    /healthz  200, or 503 with a sentence for each run loop that has not turned for ``stuck_after`` seconds
    /readyz   200 while subscribed to the bus and the store answers, else 503 with a sentence for each worker
    ========  =====================================================================================

    Raises :class:`~timeline.errors.TimelineError` where nothing can be served at this address.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tell: Callable[[], Sequence[Told]],
        *,
        stuck_after: float = health.STUCK_AFTER,
    ) -> None:
        try:
            if not 0 <= port <= 65_535:
                raise OverflowError("a port is a number from 0 to 65535")  # else its lowest 16 bits would be taken
            self._server = _Server(host, port, tell, stuck_after)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            raise TimelineError(f"metrics cannot be served at {_place(host, port)}: {reason}") from error
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers, without a path."""
        return f"http://{_place(self.host, self.port)}"

    def close(self) -> None:
        """Answer no more, and give the address back."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, tell: Callable[[], Sequence[Told]], stuck_after: float) -> None:
        self.tell = tell
        self.stuck_after = stuck_after
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        super().__init__((str(address[0]), int(address[1])), _Answer)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # that of HTTP asks the network for the name of this host, which may take long
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        if isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            return  # who asked has gone
        _log.exception("a question about metrics or health could not be answered")


class _Answer(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._say(HTTPStatus.OK, exposition.text(self.server.tell()), exposition.CONTENT_TYPE)
        elif path == "/healthz":
            self._judge(health.faults(self.server.tell(), stuck_after=self.server.stuck_after))
        elif path == "/readyz":
            self._judge(health.obstacles(self.server.tell()))
        else:
            self._say(HTTPStatus.NOT_FOUND, b"/metrics, /healthz and /readyz are served here\n")

    do_HEAD = do_GET  # noqa: N815 - the name is the standard library's

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        # that of the standard library names itself, and says again what it was asked
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._say(HTTPStatus.METHOD_NOT_ALLOWED, b"GET and HEAD are answered here\n", Allow="GET, HEAD")
        else:
            self._say(HTTPStatus(code), f"{HTTPStatus(code).phrase}\n".encode())

    def log_message(self, format: str, *args: object) -> None:
        pass  # a question every few seconds is no news

    def _judge(self, reasons: list[str]) -> None:
        if reasons:
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, "".join(f"{reason}\n" for reason in reasons).encode())
        else:
            self._say(HTTPStatus.OK, b"ok\n")

    def _say(self, status: HTTPStatus, body: bytes, kind: str = _TEXT, **headers: str) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
