"""The reference, held to the contract like the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.errors import StoreUrlError


class TestMemory(DriverConformance):
    processes = False
    made_by_opening = True

    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        memory = Memory()
        yield lambda: MemoryDriver(memory)


def test_each_store_in_memory_is_empty_ready_and_alone() -> None:
    one, other = drivers.open("memory:"), drivers.open("MEMORY:")
    one.put([])
    assert one.summary() == other.summary()
    assert one.summary().events == 0
    assert one.summary().revision is None


@pytest.mark.parametrize("url", ["memory://", "memory:name", "memory:?x=1"])
def test_a_store_in_memory_has_no_name(url: str) -> None:
    with pytest.raises(StoreUrlError, match="its URL is memory:"):
        drivers.open(url)
