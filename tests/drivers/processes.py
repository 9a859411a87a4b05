"""Other processes, for tests: forked, so that they need no modules of their own, and told apart by what they report."""

from __future__ import annotations

import os
import select
import traceback
import warnings
from collections.abc import Callable
from typing import NoReturn

NOBODY = 65534


class Child:
    """A forked process that does some work; ``report`` is what that returned, or the error that it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which a test runner may have
            self.pid = os.fork()
        if not self.pid:
            _run(work, write)
        os.close(write)

    def report(self) -> str:
        with os.fdopen(self._read) as pipe:
            said = pipe.read()
        os.waitpid(self.pid, 0)
        return said


class Bell:
    """Rung in one process, heard in another."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def ring(self) -> None:
        os.write(self._write, b"!")

    def wait(self) -> None:
        ready, _, _ = select.select([self._read], [], [], 30)
        assert ready, "nobody rang"
        os.read(self._read, 1)

    def __del__(self) -> None:
        os.close(self._read)
        os.close(self._write)


def _run(work: Callable[[], object], write: int) -> NoReturn:
    try:
        said = str(work())
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        said = f"{type(error).__name__}: {error}"
        if not type(error).__module__.startswith("timeline."):
            said += traceback.format_exc()
    os.write(write, said.encode())
    os._exit(0)


def as_nobody(work: Callable[[], object]) -> str:
    """What some work reports when it is done without any privilege."""

    def without_privilege() -> object:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        return work()

    return Child(without_privilege).report()
