"""The commands on quarantine: messages that could not be read."""

from __future__ import annotations

import click

from timeline.cli.options import (
    chosen,
    definitions_option,
    examples,
    format_option,
    interrupted,
    open_engine,
    print_object,
    print_rows,
    print_table,
    rows_format_option,
    store_option,
)
from timeline.cli.program import QUARANTINED


@click.group(epilog=examples("timeline quarantine list", "timeline quarantine show 3f2a9c"))
def quarantine_() -> None:
    """Look at messages that could not be read, and read them again after the definitions were mended."""


@quarantine_.command("list", epilog=examples("timeline quarantine list"))
@store_option
@rows_format_option
def list_(store: str, form: str | None) -> None:
    """List what is quarantined and not settled, oldest first."""
    from timeline.reports import rows

    form = chosen(form, for_programs="jsonl")
    with open_engine(store) as engine:
        if form != "table":
            print_rows(engine.quarantined(), form, rows.QUARANTINE)
            return
        from timeline.reports import tables

        names = ("id", "reason", "origin", "received_at", "event_type", "size")
        lines = map(rows.QUARANTINE.shape, engine.quarantined())
        print_table(tables.rows(names, ((line["id"][:12], *(line[name] for name in names[1:])) for line in lines)))


@quarantine_.command("show", epilog=examples("timeline quarantine show 3f2a9c"))
@click.argument("id")
@store_option
@format_option
def show(id: str, store: str, form: str | None) -> None:
    """Show a quarantined message: why it could not be read, and what it says. Tokens in it are masked.

    ID may be cut short where it is still the only one.
    """
    from timeline.reports import shapes

    form = chosen(form)
    with open_engine(store) as engine:
        shape = shapes.quarantined_in_full(engine.quarantine_record(id))
    if form != "table":
        print_object(shape, form)
        return
    from timeline.reports import tables

    print_table(tables.pairs(shape))


@quarantine_.command("retry", epilog=examples("timeline quarantine retry --definitions mended.yaml"))
@click.argument("ids", metavar="[ID]...", nargs=-1)
@store_option
@definitions_option
@format_option
@click.pass_context
def retry(ctx: click.Context, ids: tuple[str, ...], store: str, definitions_file: str | None, form: str | None) -> None:
    """Read quarantined messages again: those named, or all.

    What can be read now is stored; the rest stays (exit code 3).
    """
    from timeline.reports import shapes

    form = chosen(form)
    with open_engine(store, definitions_file) as engine:
        records = [engine.quarantine_record(id) for id in ids] if ids else None
        with interrupted("what was stored before stays stored"):
            counts = engine.retry(records)
    shape = shapes.counts(counts)
    if form != "table":
        print_object(shape, form)
    else:
        from timeline.reports import tables

        print_table(tables.pairs(shape))
    if counts.quarantined:
        ctx.exit(QUARANTINED)
