"""The store that a test is given, and what a kit says of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from timeline.drivers.contract import Driver


@dataclass(frozen=True)
class Server:
    """A server with an empty store, for one test alone: to be killed and started again."""

    open: Callable[[], Driver]
    """Opens a driver on the store, as what :meth:`OnAStore.store` gives does; the address is the same after a start."""
    kill: Callable[[], None]
    """Ends the server at once, as kill -9 does: nothing is flushed, nobody is told."""
    start: Callable[[], None]
    """Starts the server again where it was, and returns when it answers."""


class OnAStore(ABC):
    """Tests that each want an empty store."""

    transactions: ClassVar[bool] = True
    """Whether an append is seen whole or not at all, and an answer shows one moment: the contract says what else."""

    processes: ClassVar[bool] = True
    """Whether other processes reach the store. One in memory they do not: what is asked of several is left out."""

    made_by_opening: ClassVar[bool] = False
    """Whether a store is there without ``prepare``. One in memory is: that calls are refused before is left out."""

    many_events: ClassVar[int] = 100_000
    """Events that one resource is given. Fewer where a server is so slow that the tests would never be run."""

    many_resources: ClassVar[int] = 10_000
    """Resources that are listed page by page. Fewer as above."""

    many_answers: ClassVar[int] = 1_000
    """Answers that are begun and abandoned, one after the other. Fewer as above, but more than the server has room for
    at once: connections, or cursors."""

    @abstractmethod
    def store(self) -> AbstractContextManager[Callable[[], Driver]]:
        """A store that holds nothing, for the time of one ``with``: it gives what opens a driver on that store.

        Called again, that opens another driver on the same store, also in a forked child. The kit prepares the store,
        and closes each driver.
        """

    def server(self) -> AbstractContextManager[Server] | None:
        """A server of one test's own, with a store that holds nothing, to be killed and started again.

        ``None``, which leaves these tests out: the store has no server, or it is not ours to kill.
        """
        return None

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
