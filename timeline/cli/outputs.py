"""Files that are written: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import signal
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import click

ENDINGS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
}
"""What the ending of a name says of the format."""

_LONGEST = 200
"""Bytes of a name that a longer one is made of."""


def form_of(path: str, asked: str | None) -> str:
    """The format of a file to be written: that of its ending, or the one that is asked for."""
    told = ENDINGS.get(os.path.splitext(path)[1].lower())
    if told is None and asked is None:
        endings = ", ".join(ENDINGS)
        raise click.UsageError(f"the name {path!r} tells no format: it may end in {endings}, or --format tells it")
    if told is not None and asked not in (None, told):
        raise click.UsageError(f"the name {path!r} says {told}, and --format {asked}")
    return str(told or asked)


def check(path: str, *, replace: bool, inputs: Iterable[str] = ()) -> None:
    """Raise a usage error unless a file can be written there. One of ``inputs`` is never replaced."""
    try:
        status = os.stat(path)
    except ValueError as error:
        raise click.UsageError(f"{path!r}: {error}") from error
    except FileNotFoundError:
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise click.UsageError(f"{path!r} cannot be written: {folder!r} is no folder") from None
        return
    for name in inputs:
        with suppress(OSError, ValueError):
            if os.path.samestat(status, os.stat(name)):
                raise click.UsageError(f"{path!r} is one of the files to be read")
    if not stat.S_ISREG(status.st_mode):
        raise click.UsageError(f"{path!r} is no file that could be replaced; without -o standard output is written to")
    if not replace:
        raise click.UsageError(f"{path!r} is there already; --force replaces it")


@contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """A stream to a file that has its name only when it is whole: whatever happens before leaves nothing behind.

    Within it, being told to terminate is like being interrupted.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    short = os.fsdecode(os.fsencode(name)[:_LONGEST])
    unfinished = os.path.join(folder, f".{short}.{secrets.token_hex(4)}.part")
    with _terminated():
        try:
            with open(unfinished, "xb", buffering=1 << 20) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(unfinished, target)
        except OSError as error:
            # the name that a person gave; Arrow tells more in the text than what it is
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(error.errno or 0, reason, path) from error
        finally:
            with suppress(OSError):
                os.unlink(unfinished)


@contextmanager
def _terminated() -> Iterator[None]:
    """Within it, SIGTERM raises KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
