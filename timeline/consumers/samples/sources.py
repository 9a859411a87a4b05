"""The bytes of files of samples, of pipes and of standard input: unpacked, with a look at the first ones."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from timeline.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN = "-"
"""The path that stands for standard input."""

CHUNK = 1 << 20
"""The bytes that are read at once."""

_FIRST = 1 << 16
"""The bytes of a pipe that are looked at before they are read."""

_GZIP = b"\x1f\x8b"


class Source:
    """One file, pipe or standard input. A file is opened each time that it is read, the others are read once.

    :class:`~timeline.errors.InputError` for what is not there, is no file, or cannot be read.
    """

    def __init__(self, path: str, stdin: BinaryIO | None = None) -> None:
        self.path = path
        self.name = "<stdin>" if path == STDIN else os.fsencode(path).decode("utf-8", "backslashreplace")
        """As it is shown: in UTF-8, whatever the bytes of the path are."""
        self.size: int | None = None
        """In bytes as they lie there; nothing for a pipe."""
        self.bytes_read = 0
        """Of these, those that were read so far."""
        self._stdin = stdin
        self._pipe: _Bytes | None = None
        if path != STDIN:
            self._check()

    def _check(self) -> None:
        with unreadable(self.name):
            try:
                status = os.stat(self.path)
            except ValueError as error:  # a NUL in the path
                raise InputError(f"{self.name}: {error}; nothing was read") from error
        if stat.S_ISREG(status.st_mode):
            self.size = status.st_size
        elif not stat.S_ISFIFO(status.st_mode):
            kind = "a folder; name the files in it" if stat.S_ISDIR(status.st_mode) else "neither a file nor a pipe"
            raise InputError(f"{self.name}: is {kind}; nothing was read")
        if not os.access(self.path, os.R_OK):
            raise InputError(f"{self.name}: Permission denied; nothing was read")

    @property
    def is_file(self) -> bool:
        """Whether it can be read again, and from its end."""
        return self.size is not None

    def head(self, size: int) -> bytes:
        """The first bytes, unpacked: fewer only if there are no more. Of a pipe not many are waited for."""
        if not self.is_file:
            with unreadable(self.name):
                return self._piped().look(min(size, _FIRST))
        with unreadable(self.name), contextlib.closing(self._unpacked()) as stream:
            head = stream.look(size)
        self.bytes_read = 0
        return head

    def head_lines(self, size: int) -> bytes:
        """The first lines, of not more bytes; all bytes where these are no more, or the first line is longer."""
        size = size if self.is_file else min(size, _FIRST)
        head = self.head(size)
        return head if len(head) < size or b"\n" not in head else head[: head.rindex(b"\n") + 1]

    def open(self) -> BinaryIO:
        """All bytes, unpacked; to be closed."""
        if self.is_file:
            self.bytes_read = 0
        return cast(BinaryIO, io.BufferedReader(self._unpacked() if self.is_file else self._piped(), CHUNK))

    def _piped(self) -> _Bytes:
        if self._pipe is None:
            self._pipe = self._unpacked()
        return self._pipe

    def _unpacked(self) -> _Bytes:
        with unreadable(self.name):
            packed = _Bytes(*self._opened(), self._count)
            if packed.look(len(_GZIP)) != _GZIP:
                return packed
        buffered = io.BufferedReader(packed, CHUNK)
        return _Bytes(gzip.GzipFile(fileobj=cast(BinaryIO, buffered)).read1, buffered.close, lambda size: None)

    def _opened(self) -> tuple[Callable[[int], bytes | None], Callable[[], object]]:
        if self.path == STDIN:
            stdin = self._stdin or sys.stdin.buffer
            # as much as is there, not a whole chunk; and from below the buffer, whose lock would be held meanwhile
            raw = getattr(stdin, "raw", stdin)
            return raw.read, lambda: None
        file = io.FileIO(self.path)
        return file.read, file.close

    def _count(self, size: int) -> None:
        self.bytes_read += size


class _Bytes(io.RawIOBase):
    """A stream of bytes of which the first can be looked at before they are read."""

    def __init__(
        self, read: Callable[[int], bytes | None], close: Callable[[], object], count: Callable[[int], None]
    ) -> None:
        self._read = read
        self._close = close
        self._count = count
        self._head = b""

    def look(self, size: int) -> bytes:
        """The next bytes, which stay to be read: fewer only if there are no more."""
        while len(self._head) < size and (more := self._read(max(CHUNK, size - len(self._head)))):
            self._count(len(more))
            self._head += more
        return self._head[:size]

    def readable(self) -> bool:
        return True

    def readinto(self, into: WriteableBuffer, /) -> int:
        place = memoryview(into)
        if self._head:
            piece, self._head = self._head[: len(place)], self._head[len(place) :]
        else:
            piece = self._read(len(place)) or b""
            self._count(len(piece))
        place[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._close()
        super().close()


@contextlib.contextmanager
def unreadable(name: str) -> Iterator[None]:
    """Within it, what says that a file cannot be read (to its end) becomes an InputError that names it."""
    try:
        yield
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise InputError(f"{name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the file ends too early"
    if isinstance(error, zlib.error | gzip.BadGzipFile):
        return f"the gzip data are damaged ({error})"
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return reason.splitlines()[0] if reason else type(error).__name__
