"""What all servers of tests have in common: how one is made, started, killed and taken away."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import ClassVar

from tests.servers.processes import Process, launched
from tests.servers.records import Record

_PATIENCE = 180.0
"""Seconds that a server may take to answer, and to stop. HBase has taken 22 where much else went on."""


class ServerFailed(Exception):
    """A server did not start; the message holds the last that it said."""


class Server(ABC):
    """A server in a folder of its own, at loopback ports of its own. Its folder goes when it is removed.

    ``durable`` asks that what is acknowledged outlives a kill of the server: without it a server may be quicker.
    ``options`` are more words for the server; each kind says in what form. ``folder`` is where the data are to lie,
    such as a small disk; it has to be empty, and only what is in it will be removed.
    """

    name: ClassVar[str]
    optional: ClassVar[bool] = False
    """Whether tests may do without it where all servers are required: it cannot be installed everywhere."""
    parts: ClassVar[tuple[str, ...]] = ("server",)
    """Its processes, the one that holds the data first."""
    user: ClassVar[str | None] = None
    """The user as whom it has to run where we are the superuser."""
    stops_by: ClassVar[signal.Signals] = signal.SIGTERM
    ends_by: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(
        self,
        *options: str,
        durable: bool,
        shared: bool = False,
        owner: Process | None = None,
        folder: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"timeline-{self.name}-")) if folder is None else folder
        self.durable = durable
        self.options = options
        self.processes: dict[str, Process] = {}
        self._made = False
        if (user := self.runs_as()) is not None:
            shutil.chown(self.folder, user)
        self._record = Record.new(
            self.name, shared=shared, owner=owner, folder=self.folder, url=self.url, ends_by=self.ends_by
        )

    # What a kind of server says

    @classmethod
    @abstractmethod
    def lacks(cls) -> str | None:
        """What of it is not installed here, in a few words; ``None`` where all is."""

    @classmethod
    @abstractmethod
    def install(cls) -> None:
        """Install what is not there. Raises :class:`~tests.servers.installing.NotInstalled`."""

    @classmethod
    @abstractmethod
    def place(cls, url: str, *, ours: bool) -> AbstractContextManager[str]:
        """The URL of a fresh place beside the one of this URL, which is removed at the end.

        Of a server that is ours, it may be left to the end of the server where removing it takes long.
        """

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL of an empty place on it; known before it runs, and the same whenever it does."""

    @abstractmethod
    def make(self) -> None:
        """Fill the folder with what an empty server begins with."""

    @abstractmethod
    def command(self, part: str) -> Sequence[str]:
        """What runs a part of it in the foreground."""

    @abstractmethod
    def ask(self) -> None:
        """Ask something that only a server which is ready can answer. Raises any error until then."""

    # What can be done with it

    @classmethod
    def runs_as(cls) -> str | None:
        """The user as whom it is started, where that is not the one we are."""
        return cls.user if os.geteuid() == 0 else None

    @property
    def pid(self) -> int:
        """The id of the process that holds the data."""
        return self.processes[self.parts[0]].pid

    def runs(self, *parts: str) -> bool:
        """Whether these parts are there, or all."""
        return all(part in self.processes and self.processes[part].runs() for part in parts or self.parts)

    def start(self) -> None:
        """Start what of it does not run, and return when it answers. Raises :class:`ServerFailed`."""
        if not self._made:
            self.make()
            self._made = True
        until = monotonic() + _PATIENCE
        for part in self.parts:
            if not self.runs(part):
                self.processes[part] = launched(self.command(part), self.log(part), user=self.runs_as())
                self._record = self._record.written([*self.processes.values()])
        while True:
            try:
                return self.ask()
            except Exception as error:  # whatever a client says of a server that is not ready
                if monotonic() > until:
                    raise ServerFailed(f"{self.name} does not answer: {error!r}\n{self._last_words()}") from error
            for process in self.processes.values():
                if process.has_ended(within=0.05):
                    raise ServerFailed(f"{self.name} ended when it was started\n{self._last_words()}")

    def stop(self, *parts: str) -> None:
        """Stop it in good order, or these parts of it; returns when they have ended."""
        for part in reversed(parts or self.parts):
            self.processes[part].end(self.stops_by, within=_PATIENCE)

    def kill(self, *parts: str) -> None:
        """Kill it at once, as kill -9 does, or these parts of it; returns when they have ended."""
        killed = [self.processes[part] for part in parts or self.parts]
        born = [child for process in killed for child in process.children()]
        for process in killed:
            process.send(signal.SIGKILL)
        for process in [*killed, *born]:  # what they have started ends by itself when it sees that they are gone
            if not process.has_ended(within=_PATIENCE):
                raise ServerFailed(f"{self.name}: process {process.pid} does not end\n{self._last_words()}")

    def remove(self) -> None:
        """End it, and take away its folder."""
        self._record.end()

    def log(self, part: str) -> Path:
        """The file of what a part of it says."""
        return self.folder / f"{part}.log"

    def _last_words(self) -> str:
        said = []
        for part in self.parts:
            if self.log(part).exists():
                lines = self.log(part).read_text("utf-8", "replace").splitlines()[-15:]
                said += [f"-- {part}", *lines]
        return "\n".join(said)
