"""A proxy between a client and its server, for tests: it passes everything on until it is told to break off."""

from __future__ import annotations

import selectors
import socket
from threading import Lock, Thread


class Proxy:
    """Listens at ``port``. Once armed it breaks one connection off, where it was told to."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._lock = Lock()
        self._until: bytes | None = None
        self._messages = 1
        self._heard = True
        Thread(target=self._accept, daemon=True).start()

    def arm(self, said: bytes = b"", *, messages: int = 1, heard: bool = True) -> None:
        """Break off, once, where a client sends so many more messages that hold this.

        When it was ``heard``, the server has done what it was asked, and answered; else it knows nothing of it. Either
        way the client does not know which.
        """
        with self._lock:
            self._until, self._messages, self._heard = said, messages, heard

    def disarmed(self) -> bool:
        """Break nothing off any more; whether it was done."""
        with self._lock:
            done, self._until = self._until is None, None
        return done

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
                    last = ready.fileobj is client and self._is_the_last(said)
                    if not last or self._heard:
                        ready.data.sendall(said)
                    if last:
                        if self._heard:
                            server.recv(65536)
                        return

    def _is_the_last(self, said: bytes) -> bool:
        with self._lock:
            if self._until is None or self._until not in said:
                return False
            self._messages -= 1
            if not self._messages:
                self._until = None
            return not self._messages
