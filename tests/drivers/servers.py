"""The stores that lie on servers, for tests: what the conformance kit is given of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from tests.servers import own, place
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.store import OnAStore, Server


class OnAServer(OnAStore):
    """The kit's stores are places on the server of this name; one to be killed has a server of its own."""

    server_name: ClassVar[str]

    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        with place(self.server_name) as url:
            yield lambda: drivers.open(url)

    @contextmanager
    def server(self) -> Iterator[Server]:
        with own(self.server_name) as server:
            yield Server(open=lambda: drivers.open(server.url), kill=server.kill, start=server.start)
