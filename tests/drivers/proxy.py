"""A proxy between a client and its server, for tests: it passes everything on until it is told to break off."""

from __future__ import annotations

import selectors
import socket
from threading import Event, Thread


class Proxy:
    """Listens at ``port``. Once armed it breaks a connection off when the client has said something and was answered.

    The server has then done what it was asked, and the client does not know.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.cut = Event()
        self._until: bytes | None = None
        Thread(target=self._accept, daemon=True).start()

    def arm(self, said: bytes) -> None:
        """Break off, once, the connection in which the client says this next, after the server's answer."""
        self._until = said

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._to) as server, selectors.DefaultSelector() as both:
            both.register(client, selectors.EVENT_READ, server)
            both.register(server, selectors.EVENT_READ, client)
            while True:
                for ready, _ in both.select():
                    said = ready.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not said:
                        return
                    ready.data.sendall(said)
                    if ready.fileobj is client and self._until is not None and self._until in said:
                        self._until = None
                        server.recv(65536)  # it has done it
                        self.cut.set()
                        return
