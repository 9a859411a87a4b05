"""HBase, held to the contract."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.servers import place
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance


class TestHbase(DriverConformance):
    transactions = False

    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        with place("hbase") as url:
            yield lambda: drivers.open(url)
