"""What several commands share: options, the engine they open, and how they print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

if TYPE_CHECKING:
    from rich.table import Table

    from timeline.consumers.files import Files
    from timeline.engine import Engine
    from timeline.reports.rows import Layout, Told
    from timeline.reports.shapes import Shape

DEFAULT_STORE = "sqlite:///timeline.db"

_IN_COLUMNS = ("csv", "parquet")

Command = TypeVar("Command", bound=Callable[..., Any])


class Instant(click.ParamType[int]):
    """An instant on the command line: ISO 8601 (no zone means UTC), ``now``, ``-2h``, ``-30d``."""

    name = "T"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from timeline import clock
        from timeline.errors import TimeError

        if isinstance(value, int):
            return value
        try:
            return clock.instant(str(value))
        except TimeError as error:
            self.fail(f"{error}; now, -2h and -30d are instants too", param, ctx)


INSTANT = Instant()


class Form(click.Choice[str]):
    """A format of answers. Those in columns are refused by name where an answer has no rows."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in _IN_COLUMNS and value not in self.choices:
            others = ", ".join(map(str, self.choices))
            self.fail(f"{value} is for answers in rows, which this command does not give: {others}", param, ctx)
        form = super().convert(value, param, ctx)
        if form == "parquet":
            if sys.stdout.isatty():
                self.fail("parquet is no text for a screen: send it to a file, as in > rows.parquet", param, ctx)
            from timeline.replay.kinds import need_arrow

            need_arrow("--format parquet")
        return form


def examples(*commands: str) -> str:
    """The end of a command's help: what to type."""
    return "\b\n" + "\n".join(commands)


def store_option(command: Command) -> Command:
    """``--store URL``, or TIMELINE_STORE."""
    return click.option(
        "--store",
        metavar="URL",
        envvar="TIMELINE_STORE",
        default=DEFAULT_STORE,
        show_default=True,
        show_envvar=True,
        help="The store.",
    )(command)


def definitions_option(command: Command) -> Command:
    """``--definitions FILE``, or TIMELINE_DEFINITIONS."""
    return click.option(
        "--definitions",
        "definitions_file",
        metavar="FILE",
        envvar="TIMELINE_DEFINITIONS",
        show_envvar=True,
        help="The definition file; unless given, the one that comes with the program.",
    )(command)


def format_option(command: Command) -> Command:
    """``--format table|json|jsonl``."""
    return _format_option("table", "json", "jsonl")(command)


def rows_format_option(command: Command) -> Command:
    """``--format table|json|jsonl|csv|parquet``, for a command that prints rows."""
    return _format_option("table", "json", "jsonl", *_IN_COLUMNS)(command)


def _format_option(*forms: str) -> Callable[[Command], Command]:
    return click.option(
        "--format",
        "form",
        type=Form(forms),
        help="A table where a person looks, JSON where a program reads, unless told otherwise.",
    )


def source_option(command: Command) -> Command:
    """``--source NAME``."""
    return click.option("--source", metavar="NAME", help="The region or deployment, where ids meet.")(command)


def as_known_at_option(command: Command) -> Command:
    """``--as-known-at T``."""
    return click.option("--as-known-at", type=INSTANT, help="Answer from what was recorded before this instant alone.")(
        command
    )


def open_engine(store: str, definitions: str | None = None) -> Engine:
    """The engine on a store; to be used in a ``with``."""
    from timeline import engine

    return engine.open(store, definitions=definitions)


def files_of(paths: tuple[str, ...]) -> Files:
    """The messages of files; all are looked at before the first is read."""
    from timeline.consumers.files import STDIN, Files

    if STDIN in paths and sys.stdin is None:
        raise click.UsageError("standard input is closed, so there is nothing to read from -")
    return Files(paths)


@contextmanager
def interrupted(outcome: str) -> Iterator[None]:
    """Within it, who interrupts is told what has become of the work."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise click.exceptions.Abort(f"interrupted; {outcome}") from error


def output() -> BinaryIO:
    """Standard output, for bytes."""
    return sys.stdout.buffer


def chosen(form: str | None, *, for_programs: str = "json") -> str:
    """The format asked for; else a table on a screen, and ``for_programs`` elsewhere."""
    return form or ("table" if sys.stdout.isatty() else for_programs)


def print_table(table: Table) -> None:
    """Print a table."""
    from timeline.reports import tables

    tables.write(table, sys.stdout)


def print_object(shape: Shape, form: str) -> None:
    """Print one JSON object."""
    from timeline.reports import formats

    formats.write_object(shape, output(), lines=form == "jsonl")


def print_list(shapes: Iterable[Shape], form: str) -> None:
    """Print JSON objects, as they come."""
    from timeline.reports import formats

    formats.write_list(shapes, output(), lines=form == "jsonl")


def print_rows(told: Iterable[Told], form: str, layout: Layout[Told]) -> None:
    """Print rows in any format but a table, as they come, or when the last one has come."""
    if form == "csv":
        from timeline.reports import csv

        csv.write(layout, told, output(), screen=sys.stdout.isatty())
    elif form == "parquet":
        from timeline.reports import parquet

        parquet.write(layout, told, output())
    else:
        print_list(map(layout.shape, told), form)
