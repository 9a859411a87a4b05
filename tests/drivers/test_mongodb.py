"""The driver of MongoDB, held to the kit, and what is its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.servers import place
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance


class TestMongodb(DriverConformance):
    transactions = False

    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        with place("mongodb") as url:
            yield lambda: drivers.open(url)
