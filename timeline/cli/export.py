"""The commands that write out what a store holds."""

from __future__ import annotations

import click

from timeline.cli.options import (
    Form,
    as_known_at_option,
    examples,
    open_engine,
    print_rows,
    source_option,
    store_option,
)


@click.group(epilog=examples("timeline export events > events.jsonl"))
def export_() -> None:
    """Write out what a store holds."""


@export_.command("events", epilog=examples("timeline export events > events.jsonl"))
@click.option("--type", "kind", metavar="TYPE", help="Only of resources of this type.")
@click.option("--provenance", is_flag=True, help="Also where each event came from, and when it was recorded.")
@source_option
@as_known_at_option
@store_option
@click.option(
    "--format",
    "form",
    type=Form(["jsonl", "csv", "parquet"]),
    default="jsonl",
    show_default=True,
    help="The dump is jsonl; other programs may want columns.",
)
def events(
    kind: str | None, provenance: bool, source: str | None, as_known_at: int | None, store: str, form: str
) -> None:
    """Write all events, a line of JSON each, sorted: the canonical dump.

    Two stores that hold the same events write the same bytes, however the events came.
    """
    from timeline.reports import rows

    with open_engine(store) as engine:
        stored = engine.events(kind, source=source, as_known_at=as_known_at)
        print_rows(stored, form, rows.events(provenance=provenance))
