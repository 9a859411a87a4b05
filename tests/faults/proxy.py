"""A wire between a client and its server that can be made as bad as wires are: slow, cut, silent, or gone."""

from __future__ import annotations

import contextlib
import socket
import struct
from threading import Condition, Thread
from time import sleep

_TO_SERVER, _TO_CLIENT = "to server", "to client"


class Wire:
    """Listens at ``port``, and passes everything on, until it is told otherwise; :meth:`heal` ends whatever it is."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._changed = Condition()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._latency = 0.0
        self._silent: frozenset[str] = frozenset()
        self._refuses = False
        Thread(target=self._accept, daemon=True).start()

    def slow(self, seconds: float) -> None:
        """Whatever is sent comes so many seconds later, either way."""
        self._become(latency=seconds)

    def reset(self) -> None:
        """End all connections at once, for both sides without a word; new ones are taken."""
        with self._changed:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _cut(*pair)

    def half_open(self, *, hears: bool = False) -> None:
        """Nothing comes to the server any more, nor to the client, unless it ``hears``; nobody is told so."""
        self._become(silent=frozenset({_TO_SERVER}) if hears else frozenset({_TO_SERVER, _TO_CLIENT}))

    def part(self) -> None:
        """The same, and who connects anew is refused."""
        self._become(silent=frozenset({_TO_SERVER, _TO_CLIENT}), refuses=True)

    def heal(self) -> None:
        """All is as it was: what was held back is passed on, where anybody is left to hear it."""
        self._become()

    def close(self) -> None:
        """Take no more connections, and end those that there are."""
        self._listening.close()
        self.reset()

    def _become(self, latency: float = 0.0, silent: frozenset[str] = frozenset(), refuses: bool = False) -> None:
        with self._changed:
            self._latency, self._silent, self._refuses = latency, silent, refuses
            self._changed.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._refuses:
                _cut(client)
                continue
            try:
                server = socket.create_connection(self._to)
            except OSError:
                _cut(client)
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (client, server)
            with self._changed:
                self._pairs.add(pair)
            for way, hears, tells in ((_TO_SERVER, client, server), (_TO_CLIENT, server, client)):
                Thread(target=self._pass_on, args=(way, hears, tells, pair), daemon=True).start()

    def _pass_on(
        self, way: str, hears: socket.socket, tells: socket.socket, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        with contextlib.suppress(OSError):
            while said := hears.recv(65_536):
                with self._changed:
                    self._changed.wait_for(lambda: way not in self._silent or pair not in self._pairs)
                    latency = self._latency
                if latency:
                    sleep(latency)  # this is the latency
                tells.sendall(said)
        # the other side hears of the end no sooner than of what was said before it
        with self._changed:
            self._changed.wait_for(lambda: way not in self._silent or pair not in self._pairs)
            if pair not in self._pairs:  # it was cut, or the other way has ended
                return
            self._pairs.discard(pair)
            self._changed.notify_all()
        for each in pair:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def _cut(*ends: socket.socket) -> None:
    """Close these so that the peer is told that the connection is broken, and not that it has come to its end."""
    for end in ends:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RD)  # whoever waits for more of it stops
        end.close()
