"""The store that a test is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import ClassVar

from timeline.drivers.contract import Driver


class OnAStore(ABC):
    """Tests that each want an empty store."""

    transactions: ClassVar[bool] = True
    """Whether an append is seen whole or not at all, and an answer shows one moment: the contract says what else."""

    @abstractmethod
    def store(self) -> AbstractContextManager[Callable[[], Driver]]:
        """A store that holds nothing, for the time of one ``with``: it gives what opens a driver on that store.

        Called again, that opens another driver on the same store. The kit prepares the store, and closes each driver.
        """

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """One driver on a store of its own, prepared."""
        with self.store() as open, closing(open()) as driver:
            driver.prepare()
            yield driver

    @contextmanager
    def two_drivers(self) -> Iterator[tuple[Driver, Driver]]:
        """Two drivers on one store, prepared."""
        with self.store() as open, closing(open()) as one, closing(open()) as other:
            one.prepare()
            yield one, other
