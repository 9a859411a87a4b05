"""Reads notifications from files, folders, pipes and standard input."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

from timeline.consumers.framing import CHUNK, Stream, messages
from timeline.errors import InputError
from timeline.model import Message

STDIN = "-"
"""The path that stands for standard input."""

_GZIP = b"\x1f\x8b"
_SQLITE = b"SQLite format 3\0"


class Files:
    """The messages of files, folders and standard input, read as they are iterated over.

    A file holds JSON lines, JSON arrays, or JSON objects over many lines, and any of these may be compressed by gzip:
    the content tells, never the name. A folder is all regular files beneath it that are not hidden, in the order of
    their paths; links to folders are not followed. ``-`` is standard input.

    All paths are looked at here, before the first is read: :class:`InputError` for one that is not there or cannot be
    read. Iterating raises it where a file cannot be read to its end, after all that was complete before.
    """

    def __init__(self, paths: Iterable[str | os.PathLike[str]], *, stdin: BinaryIO | None = None) -> None:
        self._sources = [source for path in paths for source in _sources(os.fspath(path))]
        self._stdin = stdin
        self.bytes_read = 0
        """The bytes that were read so far, as they lie in the files: compressed, where these are."""
        sizes = [source.size for source in self._sources]
        self.total_bytes: int | None = None if None in sizes else sum(size for size in sizes if size is not None)
        """The bytes that there are to read; nothing if standard input or a pipe is among the paths."""

    def __iter__(self) -> Iterator[Message]:
        self.bytes_read = 0
        for source in self._sources:
            yield from self._messages(source)

    def _messages(self, source: _Source) -> Iterator[Message]:
        stream = Stream(_unpacked(self._chunks(source)), source.name)
        try:
            yield from messages(stream)
        except (OSError, EOFError) as error:
            raise InputError(
                f"{source.name}:{stream.line}: reading broke off in this line ({_reason(error)}): what came before it "
                "is stored; ingest it again when it is whole, nothing will be stored twice"
            ) from error

    def _chunks(self, source: _Source) -> Iterator[bytes]:
        if source.path == STDIN:
            stdin = self._stdin or sys.stdin.buffer
            # read1 gives what is there; read waits until there is a whole chunk
            yield from self._counted(getattr(stdin, "read1", stdin.read))
            return
        with _opened(source) as file:
            yield from self._counted(file.read)

    def _counted(self, read: Callable[[int], bytes | None]) -> Iterator[bytes]:
        while chunk := read(CHUNK):
            self.bytes_read += len(chunk)
            yield chunk


class _Source(NamedTuple):
    path: str
    name: str
    """As it is shown: in UTF-8, whatever the bytes of the path are."""
    size: int | None
    """In bytes; nothing if only reading it tells."""


def _sources(path: str) -> list[_Source]:
    """What is to be read for a path that was given; :class:`InputError` if that cannot be."""
    if path == STDIN:
        return [_Source(path, "<stdin>", None)]
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{_shown(path)}: {_reason(error)}; nothing was read") from error
    if stat.S_ISDIR(status.st_mode):
        return _sources_beneath(path)
    if stat.S_ISFIFO(status.st_mode):
        return [_Source(path, _shown(path), None)]
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{_shown(path)}: is neither a file nor a folder nor a pipe; nothing was read")
    if not os.access(path, os.R_OK):
        raise InputError(f"{_shown(path)}: Permission denied; nothing was read")
    if _is_store(path):
        raise InputError(f"{_shown(path)}: is a SQLite database, perhaps the store itself; nothing was read")
    return [_Source(path, _shown(path), status.st_size)]


def _is_store(path: str) -> bool:
    # a store in a folder of notifications would grow by what is read of it, and be read as it grows
    try:
        with open(path, "rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # told when it is its turn to be read


def _sources_beneath(folder: str) -> list[_Source]:
    def refuse(error: OSError) -> None:
        raise InputError(f"{_shown(error.filename)}: {_reason(error)}; nothing was read") from error

    found = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [os.path.join(parent, name) for name in files if not name.startswith(".")]
        found += [path for path in paths if os.path.isfile(path)]
    if not found:
        raise InputError(f"{_shown(folder)}: no file is in this folder, hidden ones aside; nothing was read")
    return [source for path in sorted(found) for source in _sources(path)]


def _opened(source: _Source) -> io.FileIO:
    try:
        return io.FileIO(source.path)
    except OSError as error:
        raise InputError(f"{source.name}: {_reason(error)}; what came before this file is stored") from error


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, unpacked if they are compressed."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(_GZIP):
            break
    if head.startswith(_GZIP):
        yield from _gunzipped(itertools.chain((head,), chunks))
    elif head:
        yield head
        yield from chunks


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The content of one or several gzip members. OSError where it is damaged, EOFError where it ends too early."""
    member = _new_member()
    for chunk in chunks:
        while chunk:
            if member.eof:
                chunk = chunk.lstrip(b"\0")  # tapes and some programs fill up with these
                if not chunk:
                    break
                member = _new_member()
            before = member.copy()
            try:
                # no more than a chunk at once, however much is packed into a few bytes
                piece = member.decompress(chunk, CHUNK)
            except zlib.error as error:
                yield from _up_to_the_damage(before, chunk)
                raise OSError("the gzip data are damaged") from error
            chunk = member.unconsumed_tail or member.unused_data
            if piece:
                yield piece
    if piece := member.flush():
        yield piece
    if not member.eof:
        raise EOFError("the gzip data end too early")


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _up_to_the_damage(member: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    """What was unpacked before the error, and lost with it."""
    with contextlib.suppress(zlib.error):
        for at in range(len(chunk)):
            if piece := member.decompress(chunk[at : at + 1]):
                yield piece
