"""HBase, held to the contract."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.servers import own, place
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance
from timeline.drivers.conformance.store import Server


class TestHbase(DriverConformance):
    transactions = False

    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        with place("hbase") as url:
            yield lambda: drivers.open(url)

    @contextmanager
    def server(self) -> Iterator[Server]:
        with own("hbase") as server:
            yield Server(lambda: drivers.open(server.url), server.kill, server.start)
