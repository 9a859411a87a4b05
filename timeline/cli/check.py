"""The command that looks through a store for what cannot be right."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import click

from timeline.cli.options import (
    chosen,
    examples,
    format_option,
    interrupted,
    open_engine,
    print_list,
    print_table,
    store_option,
)
from timeline.cli.program import COULD_NOT

if TYPE_CHECKING:
    from timeline.drivers.contract import Problem

SHOWN = 100
"""The problems that a screen shows."""


@click.command(epilog=examples("timeline check", "timeline check --store sqlite:///backup.db --format jsonl"))
@store_option
@format_option
@click.pass_context
def check_(ctx: click.Context, store: str, form: str | None) -> None:
    """Look through a store for what cannot be right; a line for each problem, and the exit code 1.

    Every body that an event names is there and has its digest, every row refers to something that is there, keys are in
    order, and the schema is that of this program. Nothing is changed, whatever is found.
    """
    from timeline.engine.checking import Check
    from timeline.reports import upkeep

    form = chosen(form, for_programs="jsonl")
    found = 0

    def counted(problems: Iterator[Problem]) -> Iterator[Problem]:
        nonlocal found
        for problem in problems:
            found += 1
            yield problem

    with open_engine(store) as engine, interrupted("nothing was changed"), _progress() as progress:
        check = Check(engine.driver, progress)
        problems = counted(check.problems())
        if form != "table":
            print_list(map(upkeep.problem, problems), form)
        else:
            first = list(islice(problems, SHOWN))
            for _ in problems:
                pass  # the rest is counted
    looked_at = f"{check.events} events of {check.resources} resources, {check.records} quarantined messages"
    if form == "table":
        _show(first, found, looked_at)
    if found:
        click.echo(
            f"timeline: {found} problem{'s' if found > 1 else ''} in {looked_at}; nothing was changed: "
            "restore the store from a backup, or copy what it still tells into a new one",
            err=True,
        )
        ctx.exit(COULD_NOT)


def _show(first: list[Problem], found: int, looked_at: str) -> None:
    from timeline.reports import tables

    if not first:
        click.echo(f"nothing is wrong in {looked_at}")
        return
    named = ((each.damage, "" if each.resource is None else str(each.resource), each.detail) for each in first)
    print_table(tables.rows(("problem", "resource", "detail"), named))
    if found > len(first):
        click.echo(f"timeline: these are the first {SHOWN}; --format jsonl gives all", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """A bar on the screen where a person looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.completed:,} events"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda events: bar.update(task, completed=events)
