"""A driver to learn from: a store in one file of JSON lines, to which lines are only added.

A line is what one call stored. Its end is written last, so it is there whole or not at all: a line without an end is
not read, and who writes next cuts it off. One writes at a time, under a lock of the file. Answers come from memory: a
driver reads the lines that were added since it last looked, and asks the reference, the driver of ``memory:``.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from secrets import token_hex
from threading import RLock
from typing import TypeVar

import msgspec

from timeline.drivers.contract import Appended, Damage, Driver, Problem, Summary
from timeline.drivers.limits import kept_note, within_limits
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.errors import StoreCorrupt, StoreError, StoreForeign, StoreFull, StoreNotFound, StoreReadOnly
from timeline.model import Body, Event, Outcome, Phase, Quarantined, Resource, Scope

T = TypeVar("T")
Fields = tuple[Resource, int, Phase, str, int, str, str | None]
"""Those of an event, with the digest of its body, in hexadecimal, in the place of the body."""

_MARK = b"journal of a resource timeline, version 1, "
_HEADER = len(_MARK) + 17
"""The length of the first line: the mark, a name of 16 letters, and the end of the line."""


_ERRORS: dict[int | None, tuple[type[StoreError], str]] = {
    errno.ENOENT: (StoreNotFound, "timeline init makes a store, in a folder that is there"),
    errno.ENOTDIR: (StoreNotFound, "timeline init makes a store, in a folder that is there"),
    errno.EACCES: (StoreReadOnly, "it takes the permission to read and to write the file"),
    errno.EROFS: (StoreReadOnly, "it takes a medium that can be written"),
    errno.ENOSPC: (StoreFull, "make room; what was stored is safe"),
}


class Line(msgspec.Struct, omit_defaults=True):
    """What one call stored; bytes are in base64."""

    bodies: dict[str, bytes] = {}
    """The bodies that are new, by their digests."""
    events: list[Fields] = []
    put: list[Quarantined] = []
    settled: tuple[str, Outcome, int, str | None] | None = None


class JournalDriver(Driver):
    """A store in one file: ``journal:PATH``."""

    def __init__(self, url: str) -> None:
        self._path = os.path.abspath(url.partition(":")[2])
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._process, self._lock, self._read = os.getpid(), RLock(), 0
        self._memory, self._bodies = Memory(), dict[str, Body]()
        self._reference = MemoryDriver(self._memory)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind, way = _ERRORS.get(error.errno, (StoreError, "choose another place"))
            raise kind(f"{self._path}: {error.strerror}: {way}") from error

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        """The file; who may write it has it alone. Opened each time, so that a fork shares none."""
        if self._closed:
            raise StoreError(f"{self._path}: the store was closed: open it again")
        if self._process != os.getpid():
            self._begin()  # a thread of the parent may have held the lock, or have been in the midst of a line
        with self._lock, self._translated():
            file = os.open(self._path, flags | os.O_CLOEXEC, 0o600)
            try:
                if flags & os.O_RDWR:
                    fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
                yield file
            finally:
                os.close(file)

    def _name(self, file: int) -> str:
        header = os.pread(file, _HEADER, 0)
        if not header:
            raise StoreNotFound(f"{self._path}: the file is empty: timeline init makes a store of it")
        if not header.startswith(_MARK) or not header.endswith(b"\n"):
            raise StoreForeign(f"{self._path}: this was not made by this program: choose another place for the store")
        return header[len(_MARK) : -1].decode()

    def _caught_up(self, file: int) -> MemoryDriver:
        """The reference, when it has been told every line that has its end."""
        if not self._read:
            self._memory.name, self._read = self._name(file), _HEADER
        added = os.pread(file, os.fstat(file).st_size - self._read, self._read)
        for text in added.splitlines(keepends=True):
            if text.endswith(b"\n"):
                self._tell(self._line(text))
                self._read += len(text)
        return self._reference

    def _line(self, text: bytes) -> Line:
        try:
            return msgspec.convert(json.loads(text), Line)
        except ValueError as error:
            raise StoreCorrupt(f"{self._path}: a line cannot be read: {error}; restore a backup") from error

    def _tell(self, line: Line) -> None:
        self._bodies |= {digest: Body(data, bytes.fromhex(digest)) for digest, data in line.bodies.items()}
        try:
            events = [Event(*fields[:3], self._bodies[fields[3]], *fields[4:]) for fields in line.events]
        except KeyError as error:
            raise StoreCorrupt(f"{self._path}: an event names the body {error}, which is not there") from error
        self._reference.append(events)
        self._reference.put(line.put)
        if line.settled is not None:
            self._reference.settle(*line.settled)

    def _write(self, file: int, line: Line) -> None:
        os.ftruncate(file, self._read)  # a line without an end, of a writer that was killed
        # not msgspec's own JSON, which has no spelling for file names that are no text
        left = memoryview(json.dumps(msgspec.to_builtins(line)).encode() + b"\n")
        place = self._read
        while left:
            written = os.pwrite(file, left, place)
            left, place = left[written:], place + written
        os.fsync(file)
        self._caught_up(file)

    def _asked(self, question: Callable[[MemoryDriver], T]) -> T:
        with self._opened(os.O_RDONLY) as file:
            return question(self._caught_up(file))

    def prepare(self) -> None:
        with self._opened(os.O_RDWR | os.O_CREAT) as file:
            if not os.fstat(file).st_size:
                os.pwrite(file, _MARK + token_hex(8).encode() + b"\n", 0)
                os.fsync(file)
            self._name(file)

    def append(self, events: Iterable[Event]) -> Appended:
        given = within_limits(events)
        with self._opened(os.O_RDWR) as file:
            self._caught_up(file)
            stored, new = self._memory.events, dict[object, Event]()
            for event in given:
                if event.key[1:] not in stored.get(event.resource, {}):
                    new.setdefault(event.key, event)
            bodies = {event.body.digest.hex(): event.body.data for event in new.values()}
            bodies = {digest: data for digest, data in bodies.items() if digest not in self._bodies}
            if new:
                self._write(file, Line(bodies=bodies, events=[_fields(event) for event in new.values()]))
        return Appended(events=len(new), bodies=len(bodies), duplicates=len(given) - len(new))

    def events(
        self,
        which: Scope | Collection[Resource],
        *,
        until: int | None = None,
        known_before: int | None = None,
        last_per_body: bool = False,
    ) -> Iterator[Event]:
        reference = self._asked(lambda reference: reference)
        yield from reference.events(which, until=until, known_before=known_before, last_per_body=last_per_body)

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        return self._asked(lambda reference: reference.resources(scope, after=after, limit=limit))

    def version(self) -> str:
        return self._asked(lambda reference: reference.version())

    def changed(self, since: str) -> Collection[Resource] | None:
        return self._asked(lambda reference: reference.changed(since))

    def summary(self) -> Summary:
        return self._asked(lambda reference: reference.summary())

    def check(self) -> Iterator[Problem]:
        known = set[str]()
        with self._opened(os.O_RDONLY) as file:
            self._name(file)
            journal = os.fdopen(os.dup(file), "rb")
        with self._translated(), journal:
            journal.seek(_HEADER)
            for number, text in enumerate(journal, 2):
                if not text.endswith(b"\n"):
                    return  # it is being written
                try:
                    line = self._line(text)
                except StoreCorrupt as error:
                    yield Problem(damage=Damage.ROW_DAMAGED, detail=f"line {number}: {error}")
                    continue
                for digest, data in line.bodies.items():
                    if sha256(data).hexdigest() != digest:
                        detail = f"line {number}: the body {digest} has other bytes than its digest says"
                        yield Problem(damage=Damage.BODY_DAMAGED, detail=detail)
                known |= line.bodies.keys()
                for resource, _, _, digest, *_ in line.events:
                    if digest not in known:
                        detail = f"line {number}: the body {digest} is not there"
                        yield Problem(damage=Damage.BODY_MISSING, detail=detail, resource=resource)

    def close(self) -> None:
        self._closed = True

    def put(self, records: Iterable[Quarantined]) -> int | None:
        given = list(records)
        with self._opened(os.O_RDWR) as file:
            self._caught_up(file)
            stored, new = self._memory.quarantine, dict[str, Quarantined]()
            for record in given:
                if record.id not in stored or stored[record.id].outcome is not None:
                    new.setdefault(record.id, record)
            if new:
                self._write(file, Line(put=list(new.values())))
        return len(new)

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        return self._asked(lambda reference: reference.list(after=after, limit=limit, settled=settled))

    def find(self, id: str) -> Sequence[Quarantined]:
        return self._asked(lambda reference: reference.find(id))

    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        kept = kept_note(outcome, note)
        with self._opened(os.O_RDWR) as file:
            found = self._caught_up(file).find(id)
            if [record.outcome for record in found if record.id == id] == [None]:
                self._write(file, Line(settled=(id, outcome, at, kept)))


def _fields(event: Event) -> Fields:
    digest = event.body.digest.hex()
    return (
        event.resource,
        event.occurred_at,
        event.phase,
        digest,
        event.recorded_at,
        event.event_type,
        event.message_id,
    )


open = JournalDriver
"""What the entry point names: it makes a driver of a URL."""
