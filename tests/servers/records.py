"""What is written down of each server that was started, so that it is found and ended by whoever comes next.

A record is a small file in the folder of what was installed. It names the processes, the folder of the data, which go
when the server goes, and the process with which it ends: that of the tests.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from tests.servers.installing import kept
from tests.servers.processes import Process

_PATIENCE = 20.0
"""Seconds that a server may take to end."""


@dataclass(frozen=True)
class Record:
    """A server that was started."""

    file: Path
    name: str
    shared: bool
    owner: Process | None
    """The process with which it ends; ``None`` for one that a person has started, which stays."""
    folder: Path
    url: str
    ends_by: signal.Signals
    """The quickest way to end it that leaves nothing on the machine."""
    processes: tuple[Process, ...] = ()

    @classmethod
    def new(
        cls, name: str, *, shared: bool, owner: Process | None, folder: Path, url: str, ends_by: signal.Signals
    ) -> Record:
        """The record of a server that is about to be started."""
        os.makedirs(_folder(), exist_ok=True)
        file = _folder() / f"{name}-{uuid4().hex[:12]}.json"
        return cls(file, name, shared, owner, folder, url, ends_by)

    @classmethod
    def all(cls) -> Iterator[Record]:
        """Every record that is there."""
        for file in sorted(_folder().glob("*.json")):
            with contextlib.suppress(FileNotFoundError):  # its server ended meanwhile
                yield cls._read(file)

    @classmethod
    def _read(cls, file: Path) -> Record:
        said = json.loads(file.read_text("utf-8"))
        return cls(
            file,
            said["name"],
            said["shared"],
            None if said["owner"] is None else Process(*said["owner"]),
            Path(said["folder"]),
            said["url"],
            signal.Signals(said["ends_by"]),
            tuple(Process(*process) for process in said["processes"]),
        )

    def written(self, processes: Sequence[Process]) -> Record:
        """The same with these processes, and in its file."""
        record = replace(self, processes=tuple(processes))
        said = {
            "name": record.name,
            "shared": record.shared,
            "owner": _numbers(record.owner),
            "folder": str(record.folder),
            "url": record.url,
            "ends_by": int(record.ends_by),
            "processes": [_numbers(process) for process in record.processes],
        }
        part = record.file.with_suffix(".part")
        part.write_text(json.dumps(said), "utf-8")
        part.replace(record.file)
        return record

    def runs(self) -> bool:
        """Whether all its processes are there."""
        return bool(self.processes) and all(process.runs() for process in self.processes)

    def is_stale(self) -> bool:
        """Whether the process with which it had to end has ended, and it has not."""
        return self.owner is not None and not self.owner.runs()

    def end(self) -> None:
        """End the server, and take away its data and this record. Done twice it does nothing."""
        for process in self.processes:
            process.send(self.ends_by)
        for process in self.processes:
            process.end(self.ends_by, within=_PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.file.unlink(missing_ok=True)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Within it no other process starts a server of this name, or installs it."""
    os.makedirs(_folder(), exist_ok=True)
    with open(_folder() / f"{name}.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _numbers(process: Process | None) -> list[int] | None:
    return None if process is None else [process.pid, process.since]


def _folder() -> Path:
    return kept() / "running"
