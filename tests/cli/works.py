"""What workers do in tests: work that counts, dies, fails, hangs. Each is a function that a new process can find."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import NamedTuple

from timeline.cli.working import Part
from timeline.engine import Counts
from timeline.errors import BusDenied


class Room(NamedTuple):
    """A folder in which workers leave word."""

    folder: Path

    def write(self, name: str, part: Part) -> None:
        """Leave the number of this process, under the number of the worker."""
        unfinished = self.folder / f".{name}.{part.number}.{os.getpid()}"
        unfinished.write_text(str(os.getpid()))
        unfinished.rename(self.folder / f"{name}.{part.number}.{os.getpid()}")

    def read(self, name: str) -> list[int]:
        """The processes that have left word under this name."""
        return [int(path.read_text()) for path in sorted(self.folder.glob(f"{name}.*"))]


def count(room: Room, part: Part) -> Counts:
    """Store as many messages as the number of the worker, and end."""
    room.write("began", part)
    store(part, part.number)
    return Counts(notifications=part.number, in_scope=part.number, events=part.number)


def wait(room: Room, part: Part) -> Counts:
    """Be ready, and go on until told to stop."""
    ready(room, part)
    while not part.stopping.wait(0.02):
        part.metrics.turned()
    room.write("stopped", part)
    return Counts(notifications=1, out_of_scope=1)


def die_twice(room: Room, part: Part) -> Counts:
    """Store three messages and be killed; the third process of a worker stores one and ends."""
    store(part, 3)
    room.write("began", part)
    if len(list(room.folder.glob(f"began.{part.number}.*"))) < 3:
        wait_until_told_of(part)
        os.kill(os.getpid(), signal.SIGKILL)
    return Counts(notifications=1, in_scope=1)


def fail(room: Room, part: Part) -> Counts:
    """Raise what nobody expected, with a secret in it; the second process waits."""
    room.write("began", part)
    if len(list(room.folder.glob(f"began.{part.number}.*"))) < 2:
        raise LookupError("canary-in-an-error")
    return wait(room, part)


def be_denied(room: Room, part: Part) -> Counts:
    """The first worker is refused by the bus; the others wait."""
    if part.number > 1:
        return wait_unready(room, part)
    raise BusDenied("the broker knows no user of this name")


def be_denied_later(room: Room, part: Part) -> Counts:
    """Be ready, and then be refused by the bus; the second process waits."""
    if room.read("denied"):
        return wait(room, part)
    ready(room, part)
    wait_until_told_of(part)
    room.write("denied", part)
    raise BusDenied("the broker knows no user of this name")


def wait_unready(room: Room, part: Part) -> Counts:
    """Go on until told to stop, without ever being ready."""
    room.write("waits", part)
    part.stopping.wait()
    return Counts()


def hang(room: Room, part: Part) -> Counts:
    """Be ready, and heed nothing."""
    ready(room, part)
    threading.Event().wait()
    raise AssertionError


def linger(room: Room, part: Part) -> Counts:
    """End, and leave a thread behind that does not."""
    threading.Thread(target=threading.Event().wait).start()
    return count(room, part)


def ready(room: Room, part: Part) -> None:
    """Say that all is well."""
    part.metrics.connected(True)
    part.metrics.store_available(True)
    part.metrics.turned()
    room.write("ready", part)


def store(part: Part, messages: int) -> None:
    """Say that so many messages were stored."""
    part.metrics.received(messages, 0)
    part.metrics.committed(
        in_scope=messages,
        out_of_scope=0,
        quarantined={},
        events=messages,
        bodies=0,
        duplicates=0,
        unreadable_fields=0,
        seconds=0.01,
        lags=[1_000] * messages,
    )


def wait_until_told_of(part: Part) -> None:
    """Wait until the numbers of now have been told to the process that started this one."""
    told, tell = threading.Event(), part.metrics.told
    calls = 0

    def count_calls() -> object:
        nonlocal calls
        calls += 1
        if calls > 1:  # the first of them has been said, since the second is about to be
            told.set()
        return tell()

    part.metrics.told = count_calls  # type: ignore[method-assign, assignment]
    told.wait()
