"""The command that copies a store into another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from timeline.cli.options import chosen, examples, format_option, interrupted, open_engine, print_object, print_table
from timeline.cli.program import COULD_NOT

if TYPE_CHECKING:
    from timeline.drivers.contract import Driver
    from timeline.engine.copying import Copied, Progress


@click.command(epilog=examples("timeline copy --from sqlite:///timeline.db --to postgresql://timeline@db/timeline"))
@click.option("--from", "source", metavar="URL", required=True, help="The store that is read. It is not changed.")
@click.option("--to", "target", metavar="URL", required=True, help="The store that is added to; init has made it.")
@format_option
@click.pass_context
def copy_(ctx: click.Context, source: str, target: str, form: str | None) -> None:
    """Copy a store into another, and compare the two.

    All events are copied with their provenance and the times at which they were recorded, and all of the quarantine,
    settled messages included. What the other store holds besides stays. A copy that was broken off is run again: it
    goes on where it was. Where the two do not agree in the end, the exit code is 1.
    """
    from timeline.engine.copying import copy
    from timeline.reports import tables, upkeep

    form = chosen(form)
    if source == target:
        raise click.UsageError("--from and --to are the same store")
    with (
        open_engine(source) as read,
        open_engine(target) as written,
        interrupted("what was copied stays; the same command goes on"),
        _progress(read.driver) as progress,
    ):
        copied = copy(read.driver, written.driver, line=upkeep.dump_line, progress=progress)
    shape = dict(upkeep.copied(copied))
    if form != "table":
        print_object(shape, form)
    else:
        differences = shape.pop("differences")
        print_table(tables.pairs(shape))
        if differences:
            named = (
                (f"{each.resource}", each.resource.source, each.missing, each.differing) for each in copied.differences
            )
            print_table(tables.rows(("resource", "source", "missing", "differing"), named))
    for sentence in _sentences(copied):
        click.echo(f"timeline: {sentence}", err=True)
    if not copied.verified:
        ctx.exit(COULD_NOT)


def _sentences(copied: Copied) -> Iterator[str]:
    """What a person has to know besides the numbers."""
    if copied.missing and copied.source_changed:
        yield (
            f"{copied.missing} events are not in the target: the source was written to while it was copied; "
            "the same command copies what has come since"
        )
    elif copied.missing:
        yield f"{copied.missing} events are not in the target after the copy: check both stores with timeline check"
    elif copied.source_changed:
        yield (
            "the source was written to while it was copied: what came since may not be in the target; "
            "the same command copies it"
        )
    if copied.differing:
        yield (
            f"{copied.differing} events were in the target from another delivery, and keep what is told of that: "
            "answers as known at an earlier time may differ; a copy into a new store does not"
        )
    if copied.extra:
        yield f"the target holds {copied.extra} events besides, so the digests differ"
    if copied.quarantined_missing:
        yield f"{copied.quarantined_missing} quarantined messages are not in the target: the same command copies them"
    if copied.quarantined_differing:
        yield (
            f"{copied.quarantined_differing} quarantined messages were in the target from another delivery, "
            "and keep what is told of that"
        )


@contextmanager
def _progress(source: Driver) -> Iterator[Progress | None]:
    """A bar on the screen where a person looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from timeline.engine.copying import Stage

    total = source.summary().events
    columns = (
        TextColumn("{task.description:9}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.completed:,} events"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = {stage: bars.add_task(stage, total=total, start=stage is Stage.COPYING) for stage in Stage}

        def advance(stage: Stage, events: int) -> None:
            if stage is Stage.COMPARING and not bars.tasks[tasks[stage]].started:
                bars.update(tasks[Stage.COPYING], completed=total)
                bars.start_task(tasks[stage])
            bars.update(tasks[stage], completed=events)

        yield advance
