"""The kit catches drivers that are right in one process and wrong in several."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest

from tests.drivers.kits import Which, fails, kit_for, passes
from timeline.drivers import Appended, Summary
from timeline.drivers.conformance.processes import Processes
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.model import Event, Scope

T = TypeVar("T")


@contextmanager
def a_folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


class Pickled(MemoryDriver):
    """The right one: a store in a file, read whole for each call, and written whole under a lock."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._file = folder / "store"
        self._lock = folder / "lock"

    def prepare(self) -> None:
        with self.locked():
            if not self._file.exists():
                self.save(Memory())

    def append(self, events: Iterable[Event]) -> Appended:
        return self.changed_by(lambda: super(Pickled, self).append(events))

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        self.load()
        yield from super().events(which, **rest)

    def version(self) -> str:
        self.load()
        return super().version()

    def changed(self, since: str) -> Collection[object] | None:
        self.load()
        return super().changed(since)

    def summary(self) -> Summary:
        self.load()
        return super().summary()

    def changed_by(self, change: Callable[[], T]) -> T:
        with self.locked():
            self.load()
            answer = change()
            self.save(self._held)
        return answer

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> None:
        memory = Memory()
        name, events, bodies, changes = pickle.loads(self._file.read_bytes())
        memory.name, memory.events, memory.bodies, memory.changes = name, events, bodies, changes
        self._held = memory

    def save(self, memory: Memory) -> None:
        new = self._file.with_suffix(f".{os.getpid()}")
        new.write_bytes(pickle.dumps((memory.name, memory.events, memory.bodies, memory.changes)))
        new.replace(self._file)


class WithoutALock(Pickled):
    """Read, change, write: what another has written between is lost."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        yield


class CountsWhatItSent(Pickled):
    """New is what this process has not sent before."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._sent: set[object] = set()

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        super().append(given)
        new = {event.key for event in given} - self._sent
        self._sent |= new
        return Appended(events=len(new), bodies=None, duplicates=None)


class WritesWhenItSuits(Pickled):
    """Acknowledged is what waits to be written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._waiting: list[Event] = []

    def append(self, events: Iterable[Event]) -> Appended:
        self._waiting += events
        return Appended(events=None, bodies=None, duplicates=None)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        super().append(waiting)

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        self.flush()
        return super().events(which, **rest)

    def close(self) -> None:
        self.flush()


class KeepsItsOwnLog(Pickled):
    """Each process notes its own changes, and takes them for all."""

    def save(self, memory: Memory) -> None:
        own = memory.changes
        if self._file.exists():
            memory.changes = pickle.loads(self._file.read_bytes())[3]
        super().save(memory)
        memory.changes = own


class PreparesAnew(Pickled):
    """Who prepares makes an empty store, whatever is there."""

    def prepare(self) -> None:
        with self.locked():
            self.save(Memory())


class CommitOfSeven(Pickled):
    """An append is as many commits as it takes, of seven events each."""

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        counts = [super(CommitOfSeven, self).append(given[at : at + 7]).events for at in range(0, len(given), 7)]
        return Appended(events=sum(new or 0 for new in counts), bodies=None, duplicates=None)


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (WithoutALock, "processes_that_write_one_hot_resource_store_the_union_of_what_they_sent"),
        (CountsWhatItSent, "processes_that_write_one_hot_resource_store_the_union_of_what_they_sent"),
        (KeepsItsOwnLog, "processes_that_write_at_once_are_each_seen_by_who_keeps_a_copy"),
        (WritesWhenItSuits, "what_a_process_had_acknowledged_is_there_when_it_was_killed"),
        (CommitOfSeven, "what_a_process_had_acknowledged_is_there_when_it_was_killed"),
        (PreparesAnew, "processes_may_prepare_at_once"),
    ],
)
def test_a_wrong_driver_fails_the_kit(wrong: type[Pickled], test: str) -> None:
    fails(kit_for(wrong, a_folder), test)


@pytest.mark.parametrize("test", [name for name in vars(Processes) if name.startswith("test_")])
def test_a_right_driver_of_the_same_making_passes(test: str) -> None:
    passes(kit_for(Pickled, a_folder), test.removeprefix("test_"))


def test_without_transactions_an_append_may_be_there_in_part() -> None:
    kit = kit_for(CommitOfSeven, a_folder, transactions=False)
    passes(kit, "what_a_process_had_acknowledged_is_there_when_it_was_killed")


def test_the_store_of_the_right_driver_is_shared(tmp_path: Path) -> None:
    one, other = Pickled(tmp_path), Pickled(tmp_path)
    one.prepare()
    assert list(other.events(Scope())) == []
