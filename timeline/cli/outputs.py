"""Where many rows go: to a file, there whole or not at all; to standard output; or the first of them to a screen."""

from __future__ import annotations

import os
import secrets
import signal
import stat
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click
import msgspec

from timeline.cli.options import Command, interrupted, output, print_table

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 100
"""The rows that a screen shows."""

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


class First(NamedTuple):
    """What a screen shows of many rows: the columns, and the first rows with one more if there is."""

    names: list[str]
    rows: list[dict[str, Any]]

    @property
    def complete(self) -> bool:
        """Whether there are no more."""
        return len(self.rows) <= SHOWN


def output_options(command: Command) -> Command:
    """``-o OUT`` and ``--force``."""
    force = click.option("--force", is_flag=True, help="Replace OUT if it is there.")
    out = click.option("-o", "--output", "out", metavar="OUT", help="The file to write; unless given, standard output.")
    return out(force(command))


def form_option(command: Command) -> Command:
    """``--format table|json|jsonl|csv|parquet``."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json", "jsonl", "csv", "parquet"]),
        help="The format of what is written, where the name OUT does not tell it. To standard output: a table of the "
        "first rows where a person looks, a line of JSON for each row where a program reads.",
    )(command)


def fields_option(command: Command) -> Command:
    """``--fields NAME,NAME``."""
    return click.option(
        "--fields", metavar="NAME,NAME", multiple=True, callback=_fields, help="The fields; all unless given."
    )(command)


def _fields(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> list[str] | None:
    names = [name.strip() for text in value for name in text.split(",")]
    if "" in names:
        raise click.BadParameter("a name is missing: the fields stand side by side, as in flavor,project_id")
    return names or None


def form_of(out: str | None, asked: str | None) -> str:
    """The format to write: that of a name's ending, or the one that is asked for, or what suits who looks."""
    if out is None:
        screen = sys.stdout.isatty()
        if asked == "parquet" and screen:
            raise click.UsageError("parquet is no text for a screen: -o OUT.parquet writes it to a file")
        return asked or ("table" if screen else "jsonl")
    if asked == "table":
        raise click.UsageError("a table is for a screen: csv, jsonl, json and parquet are for files")
    told = ENDINGS.get(os.path.splitext(out)[1].lower())
    if told is None and asked is None:
        endings = ", ".join(ENDINGS)
        raise click.UsageError(f"the name {out!r} tells no format: it may end in {endings}, or --format tells it")
    if told is not None and asked not in (None, told):
        raise click.UsageError(f"the name {out!r} says {told}, and --format {asked}")
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
            with open(unfinished, "xb", buffering=1 << 20) as stream, interrupted(f"{path} was not written"):
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
    """Within it, SIGTERM and SIGHUP, the end of a terminal, raise KeyboardInterrupt; nohup keeps its meaning."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    meant = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {each: signal.getsignal(each) for each in meant if signal.getsignal(each) is not signal.SIG_IGN}
    for each in before:
        signal.signal(each, signal.default_int_handler)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def write(
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    form: str,
    stream: IO[bytes],
    *,
    memory: int = 1 << 30,
    numbers: Sequence[str] = (),
) -> None:
    """Write batches in any format but a table: see :func:`timeline.reports.batches.writer`."""
    from timeline.reports import batches as reports

    if form == "parquet" and stream is output():
        from shutil import copyfileobj
        from tempfile import TemporaryFile

        # Parquet that breaks off would look whole to who reads the pipe: it goes there when it is whole
        with TemporaryFile() as file:
            write(schema, batches, form, file, memory=memory, numbers=numbers)
            file.seek(0)
            copyfileobj(file, stream)
        return
    writer = reports.writer(form, stream, schema, memory=memory, numbers=numbers)
    for batch in batches:
        writer.write(batch)
    writer.close()


def first(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> First:
    """What a screen shows of batches."""
    from timeline.reports import batches as reports

    stream = BytesIO()
    writer = reports.writer("jsonl", stream, schema)
    rows = 0
    for batch in batches:
        writer.write(batch.slice(0, SHOWN + 1 - rows))
        rows += len(batch)
        if rows > SHOWN:
            break
    return First(schema.names, [msgspec.json.decode(line) for line in stream.getvalue().splitlines()])


def show(told: First) -> None:
    """Show a table of the first rows, and of the first columns where a screen is too narrow for all."""
    from timeline.reports import formats, tables

    rows = [[row.get(name) for name in told.names] for row in told.rows[:SHOWN]]
    count = tables.fitting(told.names, rows, tables.width(sys.stdout))
    print_table(tables.rows(told.names[:count], (row[:count] for row in rows)))
    if count < len(told.names):
        left = ", ".join(map(formats.printable, told.names[count:]))
        click.echo(f"timeline: the screen is too narrow for {left}; --fields names those to be shown", err=True)
    if not told.complete:
        click.echo(f"timeline: these are the first {SHOWN}; -o OUT or --format jsonl gives all", err=True)
