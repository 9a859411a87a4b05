"""Processes on this machine: told apart for sure, signalled, and waited for."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to outgoing connections, so that one is still free when its server comes back."""

_children: dict[int, subprocess.Popen[bytes]] = {}
"""What this process has launched. A server may outlive it, so nobody waits for them at its end."""


@dataclass(frozen=True)
class Process:
    """A process: its id, and the moment it began, so that another one of the same id is never taken for it."""

    pid: int
    since: int
    """In ticks since the machine started."""

    @classmethod
    def current(cls) -> Process:
        """The process that asks."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this id now. Raises :class:`ProcessLookupError`."""
        # The name of the program stands in brackets, and may hold anything, also a bracket.
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if not fields:
            raise ProcessLookupError(pid)
        return cls(pid, int(fields[19]))

    def runs(self) -> bool:
        """Whether it is there, and more than an entry that nobody has collected."""
        return not self.has_ended(within=0)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                # The handle holds the one that has the id now; whether that is ours is asked once it is held.
                if self.runs():
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)

    def has_ended(self, *, within: float) -> bool:
        """Whether it has ended, with all its threads, so that its ports are free; waits for that so many seconds."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if Process.of(self.pid) != self:
                return True
            ending = select.poll()
            ending.register(handle, select.POLLIN)
            ended = ending.poll(within * 1_000)
        except ProcessLookupError:
            return True
        finally:
            os.close(handle)
        if ended and self.pid in _children:
            _children.pop(self.pid).wait()
        return bool(ended)

    def children(self) -> list[Process]:
        """The processes that it has started, and that run."""
        found = []
        for line in _read(f"/proc/{self.pid}/task/{self.pid}/children").split():
            with contextlib.suppress(ProcessLookupError):
                found.append(Process.of(int(line)))
        return found

    def end(self, gently: signal.Signals, *, within: float) -> None:
        """End it: so, and where that took longer than so many seconds, at once."""
        self.send(gently)
        if not self.has_ended(within=within):
            self.send(signal.SIGKILL)
            self.has_ended(within=within)


def launched(command: Sequence[str], log: Path, *, user: str | None = None) -> Process:
    """A process that runs this command, in a session of its own: an interrupt at the keyboard is not meant for it."""
    with open(log, "ab") as out:
        child = subprocess.Popen(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            **({} if user is None else {"user": user, "group": user, "extra_groups": []}),  # type: ignore[call-overload]
        )
    _children[child.pid] = child
    return Process.of(child.pid)


def free_port() -> int:
    """A port of the loopback address that nobody listens at."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _read(file: str) -> str:
    try:
        return Path(file).read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
