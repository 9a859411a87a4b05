"""The conformance kit, run on drivers in memory that are wrong in one way, and on right ones of the same making."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from hypothesis import Phase, settings

from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance, Server
from timeline.drivers.memory import Memory
from timeline.model import Resource, Scope

Which = Scope | Collection[Resource]


def kit_for(
    driver: Callable[[Any], Driver],
    place: Callable[[], AbstractContextManager[Any]] | None = None,
    server: Callable[[], AbstractContextManager[Server]] | None = None,
    **said: Any,
) -> DriverConformance:
    """The kit for a driver of what ``place`` gives, a memory unless told; ``said`` are the kit's attributes."""

    class Kit(DriverConformance):
        @contextmanager
        def store(self) -> Iterator[Callable[[], Driver]]:
            if place is None:
                memory = Memory()
                yield lambda: driver(memory)
            else:
                with place() as somewhere:
                    yield lambda: driver(somewhere)

        def server(self) -> AbstractContextManager[Server] | None:
            return None if server is None else server()

    for name, value in said.items():
        assert hasattr(Kit, name)
        setattr(Kit, name, value)
    return Kit()


def passes(kit: DriverConformance, test: str) -> None:
    """Run one test of the kit. That a property holds is not shown by many examples here, but by the same ones."""
    settings.register_profile("catching", phases=[Phase.generate], derandomize=True, print_blob=False)
    settings.load_profile("catching")
    try:
        getattr(kit, f"test_{test}")()
    except pytest.skip.Exception as skipped:
        raise RuntimeError(f"{test} was left out: {skipped}") from skipped
    finally:
        settings.load_profile("default")


def fails(kit: DriverConformance, test: str, by: type[Exception] = AssertionError) -> None:
    """Run one test of the kit, which has to fail: by what it asserts, or by an error that is not for it to expect."""
    with pytest.raises(by):
        passes(kit, test)
