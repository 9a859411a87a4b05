"""The commands that write out what a store holds."""

from __future__ import annotations

import click

from timeline.cli import outputs
from timeline.cli.options import (
    INSTANT,
    Form,
    as_known_at_option,
    definitions_option,
    examples,
    open_engine,
    output,
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


@export_.command(
    "segments",
    epilog=examples(
        "timeline export segments --type instance -o segments.parquet",
        "timeline export segments --type instance --fields flavor,host --from 2026-03-01 --to 2026-04-01 -o march.csv",
    ),
)
@click.option("--type", "kind", metavar="TYPE", required=True, help="The type of the resources, such as instance.")
@outputs.fields_option
@click.option("--from", "start", type=INSTANT, help="From this instant on.")
@click.option("--to", "end", type=INSTANT, help="Until before this instant.")
@outputs.output_options
@source_option
@as_known_at_option
@store_option
@definitions_option
@outputs.form_option
def segments(
    kind: str,
    fields: list[str] | None,
    start: int | None,
    end: int | None,
    out: str | None,
    force: bool,
    source: str | None,
    as_known_at: int | None,
    store: str,
    definitions_file: str | None,
    form: str | None,
) -> None:
    """Write the timelines of all resources of a type, a row for each segment.

    The columns are resource_id, start, end (null where open), existence and the fields. Any program that can join on
    the latest row before a time can join samples to them.
    """
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from is not before --to: a range is [from, to)")
    out = None if out == "-" else out
    form = outputs.form_of(out, form)
    if out is not None:
        outputs.check(out, replace=force)
    with open_engine(store, definitions_file) as engine:
        table = engine.segments(kind, fields, start, end, source=source or "", as_known_at=as_known_at)
    if form == "table":
        outputs.show(outputs.first(table.schema, table.to_batches()))
    elif out is None:
        outputs.write(table.schema, table.to_batches(), form, output())
    else:
        with outputs.written(out) as stream:
            outputs.write(table.schema, table.to_batches(), form, stream)
