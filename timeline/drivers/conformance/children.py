"""Other processes, for the kit: forked, so that what they do needs no module, and heard of by what they report."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterable
from typing import NoReturn


class Child:
    """A forked process that does some work, and tells of it line by line.

    The work is given what tells a line, at once and in one piece. An error that it raises is its last line.
    """

    def __init__(self, work: Callable[[Callable[[str], None]], None]) -> None:
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which a test runner may have
            self.pid = os.fork()
        if not self.pid:
            os.close(read)
            _run(work, write)
        os.close(write)
        self._pipe = os.fdopen(read)
        self._status: int | None = None

    def line(self) -> str:
        """The next line that it tells, waited for. Raises :class:`AssertionError` where there is none."""
        told = self._pipe.readline()
        assert told, "the child ended without a word"
        return told.rstrip("\n")

    def kill(self) -> list[str]:
        """End it at once; the lines that it had told, and that were not read."""
        os.kill(self.pid, signal.SIGKILL)
        told = self._pipe.read().splitlines()
        self._wait()
        return told

    def ended(self) -> list[str]:
        """The lines that were not read, when it is done. Raises :class:`AssertionError` where it failed."""
        told = self._pipe.read().splitlines()
        status = self._wait()
        assert status == 0, f"a process failed: {' '.join(told[-1:])}"
        return told

    def _wait(self) -> int:
        if self._status is None:
            self._pipe.close()
            _, status = os.waitpid(self.pid, 0)
            self._status = os.waitstatus_to_exitcode(status)
        return self._status


class Start:
    """What several processes wait for, so that they begin together."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def wait(self) -> None:
        """In a child: wait until it is given."""
        os.close(self._write)  # the parent holds the last one, and to close it is the sign
        os.read(self._read, 1)

    def give(self) -> None:
        """In the parent: begin."""
        os.close(self._write)
        os.close(self._read)


def together(works: Iterable[Callable[[Callable[[str], None]], None]]) -> list[list[str]]:
    """What each of some works told, that began together in processes of their own."""
    start = Start()

    def begun(work: Callable[[Callable[[str], None]], None]) -> Callable[[Callable[[str], None]], None]:
        def wait_and_work(tell: Callable[[str], None]) -> None:
            start.wait()
            work(tell)

        return wait_and_work

    children = [Child(begun(work)) for work in works]
    start.give()
    return [child.ended() for child in children]


def _run(work: Callable[[Callable[[str], None]], None], write: int) -> NoReturn:
    failed = True

    def tell(line: str) -> None:
        os.write(write, f"{line}\n".encode(errors="backslashreplace"))

    try:
        work(tell)
        failed = False
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        tell(f"{type(error).__name__}: {error}".replace("\n", " "))
    finally:
        os._exit(failed)
