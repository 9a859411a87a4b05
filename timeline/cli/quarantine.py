"""The commands on quarantine: messages that could not be read."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

import click

from timeline.cli import outputs
from timeline.cli.options import (
    Command,
    chosen,
    definitions_option,
    examples,
    format_option,
    interrupted,
    open_engine,
    output,
    print_object,
    print_rows,
    print_table,
    rows_format_option,
    store_option,
)
from timeline.cli.program import QUARANTINED

if TYPE_CHECKING:
    from timeline.engine import Engine
    from timeline.model import Quarantined
    from timeline.reports.rows import Layout, Told
    from timeline.reports.shapes import Shape

_IN_TABLE = ("id", "reason", "origin", "received_at", "event_type", "size")
_SHORT_ID = 12


def _filter_options(command: Command) -> Command:
    """``--reason`` and ``--event-type``, of which each may come several times."""
    reason = click.option("--reason", "reasons", metavar="REASON", multiple=True, help="Only those with this reason.")
    event_type = click.option(
        "--event-type",
        "event_types",
        metavar="GLOB",
        multiple=True,
        help="Only those of these event types, such as 'compute.instance.*'.",
    )
    return reason(event_type(command))


def _because(ctx: click.Context, param: click.Parameter, value: str) -> str:
    from timeline.model.quarantine import NOTE_BYTES

    note = value.strip()
    if not note:
        raise click.BadParameter("it is empty, and nobody would know why")
    try:
        length = len(note.encode())
    except UnicodeEncodeError:
        raise click.BadParameter("it is no text in UTF-8") from None
    if length > NOTE_BYTES:
        raise click.BadParameter(f"it has {length} bytes; at most {NOTE_BYTES} are kept")
    return note


@click.group(epilog=examples("timeline quarantine list", "timeline quarantine show 3f2a9c"))
def quarantine_() -> None:
    """Look at messages that could not be read, read them again after the definitions were mended, or drop them."""


@quarantine_.command(
    "list",
    epilog=examples(
        "timeline quarantine list",
        "timeline quarantine list --count",
        "timeline quarantine list --reason no-time --event-type 'volume.*'",
    ),
)
@_filter_options
@click.option("--settled", is_flag=True, help="Also those that are settled: how, when, and why they were dropped.")
@click.option("--count", "counted", is_flag=True, help="Only how many there are of each reason and event type.")
@store_option
@rows_format_option
def list_(
    reasons: tuple[str, ...], event_types: tuple[str, ...], settled: bool, counted: bool, store: str, form: str | None
) -> None:
    """List what is quarantined and not settled, oldest first."""
    from timeline.reports import rows

    form = chosen(form, for_programs="jsonl")
    with open_engine(store) as engine:
        records = engine.quarantined(reasons, event_types, settled=settled)
        if counted:
            from timeline.engine import quarantine

            counts = rows.quarantine_counts(settled=settled)
            _print(quarantine.count(records), form, counts, tuple(counts.columns))
        elif settled:
            _print(records, form, rows.QUARANTINE_SETTLED, (*_IN_TABLE, "outcome", "note"))
        else:
            _print(records, form, rows.QUARANTINE, _IN_TABLE)


def _print(told: Iterable[Told], form: str, layout: Layout[Told], in_table: Sequence[str]) -> None:
    if form != "table":
        print_rows(told, form, layout)
        return
    from timeline.reports import tables

    print_table(tables.rows(in_table, ([_cell(line, name) for name in in_table] for line in map(layout.shape, told))))


def _cell(line: Shape, name: str) -> object:
    return line[name][:_SHORT_ID] if name == "id" else line[name]


@quarantine_.command("show", epilog=examples("timeline quarantine show 3f2a9c"))
@click.argument("id")
@store_option
@format_option
def show(id: str, store: str, form: str | None) -> None:
    """Show a quarantined message: why it could not be read, where it is wrong, and what it says.

    Tokens in it are masked. ID may be cut short where it is still the only one. The place is a path, or a byte counted
    from 0, with the text around it: >>> stands before that byte.
    """
    from timeline.engine import quarantine
    from timeline.reports import shapes

    form = chosen(form)
    with open_engine(store) as engine:
        record = engine.quarantine_record(id)
        shape = shapes.quarantined_in_full(record, quarantine.place(record))
    _print_object(shape, form)


@quarantine_.command(
    "retry",
    epilog=examples(
        "timeline quarantine retry --definitions mended.yaml",
        "timeline quarantine retry --reason no-resource-id --event-type 'jobs.*' --definitions mended.yaml",
    ),
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@_filter_options
@store_option
@definitions_option
@format_option
@click.pass_context
def retry(
    ctx: click.Context,
    ids: tuple[str, ...],
    reasons: tuple[str, ...],
    event_types: tuple[str, ...],
    store: str,
    definitions_file: str | None,
    form: str | None,
) -> None:
    """Read quarantined messages again: those named, those with a reason or an event type, or all.

    What can be read now is stored; the rest stays (exit code 3). A dropped message that is named is open again.
    """
    from timeline.reports import shapes

    form = chosen(form)
    with open_engine(store, definitions_file) as engine:
        records = _records(engine, ids, reasons, event_types)
        with interrupted("what was stored before stays stored"):
            counts = engine.retry(records)
    _print_object(shapes.counts(counts), form)
    if counts.quarantined:
        ctx.exit(QUARANTINED)


@quarantine_.command(
    "export",
    epilog=examples(
        "timeline quarantine export -o quarantine.jsonl",
        "timeline quarantine export --messages --event-type 'volume.*' | timeline ingest --store sqlite:///new.db -",
    ),
)
@_filter_options
@click.option("--settled", is_flag=True, help="Also those that are settled.")
@click.option("--messages", is_flag=True, help="Only the messages, one a line: timeline ingest reads them again.")
@outputs.output_options
@store_option
def export(
    reasons: tuple[str, ...],
    event_types: tuple[str, ...],
    settled: bool,
    messages: bool,
    out: str | None,
    force: bool,
    store: str,
) -> None:
    """Write what is quarantined and not settled, oldest first: a line of JSON each, with all that is known.

    The message is a text, or in base64 where it is no UTF-8, as `encoding` says. Tokens in it are masked. With
    --messages those that are no JSON, or of which only the beginning was kept, are left out, and counted.
    """
    out = None if out == "-" else out
    if out is not None:
        outputs.check(out, replace=force)
    with open_engine(store) as engine:
        records = engine.quarantined(reasons, event_types, settled=settled)
        if out is None:
            _write(records, output(), messages=messages)
        else:
            engine.driver.version()  # if there is no store, it is said before a file is made
            with outputs.written(out) as stream:
                _write(records, stream, messages=messages)


def _write(records: Iterable[Quarantined], stream: BinaryIO, *, messages: bool) -> None:
    from timeline.engine import quarantine
    from timeline.reports import formats, shapes

    if not messages:
        told = (shapes.quarantined_to_export(record, quarantine.place(record)) for record in records)
        formats.write_list(told, stream, lines=True)
        return
    left_out = masked = 0
    for record in records:
        line = quarantine.line(record)
        if line is None:
            left_out += 1
            continue
        masked += quarantine.is_masked(record)
        stream.write(line + b"\n")
    if left_out:
        click.echo(f"timeline: {left_out} left out: they are no JSON objects, or were kept in part", err=True)
    if masked:
        click.echo(
            f"timeline: {masked} with masked values: a field that is read from one of these is stored as it is masked",
            err=True,
        )


@quarantine_.command(
    "drop",
    epilog=examples(
        "timeline quarantine drop 3f2a9c --because 'sent by a test of the vendor'",
        "timeline quarantine drop --event-type 'demo.*' --because 'no service of ours' --yes",
    ),
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@_filter_options
@click.option("--because", metavar="TEXT", required=True, callback=_because, help="Why; it is kept with the record.")
@click.option("--yes", is_flag=True, help="Drop all with a reason or an event type without asking.")
@store_option
@format_option
def drop(
    ids: tuple[str, ...],
    reasons: tuple[str, ...],
    event_types: tuple[str, ...],
    because: str,
    yes: bool,
    store: str,
    form: str | None,
) -> None:
    """Settle quarantined messages that are not to be read: those named, or all with a reason or an event type.

    Nothing is deleted: `list --settled` and `show` tell what was dropped, and why. What is settled already stays as it
    is. A dropped message that is delivered again is open again.
    """
    if not (ids or reasons or event_types):
        raise click.UsageError("which ones? An ID names one, --reason and --event-type choose several")
    form = chosen(form)
    with open_engine(store) as engine:
        records = _records(engine, ids, reasons, event_types)
        if not ids and not yes:
            number = sum(1 for _ in _records(engine, ids, reasons, event_types))
            if not sys.stdin or not sys.stdin.isatty():
                raise click.UsageError(f"{number} would be dropped, and nobody is there to be asked: add --yes")
            if not click.confirm(f"Drop {number} messages?", err=True):
                raise click.exceptions.Abort("nothing was dropped")
        with interrupted("what was dropped before stays dropped"):
            dropped = engine.drop(records, because)
    _print_object({"dropped": dropped}, form)


def _records(
    engine: Engine, ids: tuple[str, ...], reasons: tuple[str, ...], event_types: tuple[str, ...]
) -> Iterator[Quarantined]:
    """The records that are named or chosen, else all that are open. Those that are named are looked for first."""
    if not ids:
        return engine.quarantined(reasons, event_types)
    if reasons or event_types:
        raise click.UsageError("an ID names one message: --reason and --event-type are for those without a name")
    named = dict.fromkeys(engine.quarantine_record(id).id for id in ids)
    return map(engine.quarantine_record, named)  # one at a time: each may be as long as a notification


def _print_object(shape: Shape, form: str) -> None:
    if form != "table":
        print_object(shape, form)
        return
    from timeline.reports import tables

    print_table(tables.pairs(shape))
