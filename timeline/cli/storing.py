"""The commands that make a store, fill it, and tell what it holds."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from timeline.cli.credentials import without_password
from timeline.cli.options import (
    chosen,
    definitions_option,
    examples,
    files_of,
    format_option,
    interrupted,
    open_engine,
    print_object,
    print_table,
    store_option,
)
from timeline.cli.program import QUARANTINED

if TYPE_CHECKING:
    from timeline.consumers.files import Files
    from timeline.engine import Counts


@click.command(epilog=examples("timeline init", "timeline init --store sqlite:////var/lib/timeline/timeline.db"))
@store_option
def init_(store: str) -> None:
    """Make the store, or bring an older one up to date. Doing it again changes nothing."""
    with open_engine(store) as engine:
        engine.prepare()
        revision = engine.status().revision
    click.echo(f"{without_password(store)} is ready" + (f" (schema {revision})" if revision else ""))


@click.command(epilog=examples("timeline ingest notifications.jsonl", "zcat july.gz | timeline ingest -"))
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@store_option
@definitions_option
@click.option("--batch", type=click.IntRange(1, 100_000), help="Notifications in one transaction.")
@format_option
@click.pass_context
def ingest_(
    ctx: click.Context,
    paths: tuple[str, ...],
    store: str,
    definitions_file: str | None,
    batch: int | None,
    form: str | None,
) -> None:
    """Store what the notifications in files say.

    FILE holds JSON lines, a JSON array or JSON objects one after the other, perhaps compressed by gzip; - is standard
    input; a folder means all files in it. What cannot be read is quarantined (exit code 3). Doing it again stores
    nothing new.
    """
    from timeline.engine import BATCH, Counts
    from timeline.reports import shapes, tables

    form = chosen(form)
    files = files_of(paths)
    counts = Counts()

    def remember(so_far: Counts) -> None:
        nonlocal counts
        counts = so_far

    try:
        with open_engine(store, definitions_file) as engine, _progress(files) as advance:
            engine.driver.version()  # if there is no store, it is said before anything is read

            def progress(so_far: Counts) -> None:
                remember(so_far)
                advance(so_far)

            with interrupted("what was stored before stays stored"):
                engine.ingest(files, batch=batch or BATCH, progress=progress)
    finally:
        # also where it could not go on to the end: what came before is stored
        if counts.notifications or sys.exc_info()[0] is None:
            shape = shapes.counts(counts)
            print_table(tables.pairs(shape)) if form == "table" else print_object(shape, form)
            if counts.quarantined:
                given = ctx.get_parameter_source("store") is ParameterSource.COMMANDLINE
                where = f" --store {shlex.quote(without_password(store))}" if given else ""
                way = f"`timeline quarantine list{where}` names them"
                click.echo(f"timeline: {counts.quarantined} quarantined; {way}", err=True)
    if counts.quarantined:
        ctx.exit(QUARANTINED)


@click.command(epilog=examples("timeline status"))
@store_option
@format_option
def status_(store: str, form: str | None) -> None:
    """Tell what the store holds: counts, first and last event, what is quarantined, the revision of the schema."""
    from timeline.reports import shapes, tables

    with open_engine(store) as engine:
        shape = dict(shapes.summary(without_password(store), engine.status()))
    form = chosen(form)
    if form != "table":
        print_object(shape, form)
        return
    many = shape.pop("many_bodies")
    quarantined = shape.pop("quarantined")
    print_table(tables.pairs(shape))
    if quarantined:
        print_table(tables.rows(("quarantined because", "messages"), quarantined.items()))
    if many:
        click.echo("Resources with suspiciously many bodies: is a trait volatile that is not marked so?")
        rows = ((f"{each['resource']['type']}/{each['resource']['id']}", each["bodies"]) for each in many)
        print_table(tables.rows(("resource", "bodies"), rows))


@contextmanager
def _progress(files: Files) -> Iterator[Callable[[Counts], None]]:
    """A bar on the screen where a person looks."""
    if not sys.stderr.isatty():
        yield lambda counts: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%" if files.total_bytes else ""),
        TextColumn("{task.fields[notifications]:,} notifications, {task.fields[quarantined]:,} quarantined"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=files.total_bytes, notifications=0, quarantined=0)

        def advance(counts: Counts) -> None:
            bar.update(
                task,
                completed=files.bytes_read,
                notifications=counts.notifications,
                quarantined=counts.quarantined,
            )

        yield advance
