"""The commands that ask: what resources there are, what one was, when it changed, and why."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
import msgspec

from timeline.cli.options import (
    INSTANT,
    as_known_at_option,
    chosen,
    examples,
    format_option,
    open_engine,
    print_object,
    print_rows,
    print_table,
    rows_format_option,
    source_option,
    store_option,
)
from timeline.errors import ResourceNotFound

if TYPE_CHECKING:
    from timeline.engine import Engine
    from timeline.replay import Timeline

_JSON_VALUE = re.compile(r'null|true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|".*"', re.DOTALL)
_STATES = ("present", "deleted", "unknown", "any")


@click.command(epilog=examples("timeline resources --type instance --at 2026-03-01 --where flavor=m1.large"))
@click.option("--type", "kind", metavar="TYPE", help="Only resources of this type, such as instance.")
@click.option("--at", type=INSTANT, default="now", show_default=True, help="The instant.")
@click.option(
    "--where",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Only those whose field has this value: numbers, true, false, null and quoted text as JSON, all else as text.",
)
@click.option("--existence", type=click.Choice(_STATES), default="present", show_default=True, help="Only these.")
@source_option
@as_known_at_option
@store_option
@rows_format_option
def resources_(
    kind: str | None,
    at: int,
    where: tuple[str, ...],
    existence: str,
    source: str | None,
    as_known_at: int | None,
    store: str,
    form: str | None,
) -> None:
    """List the resources that are there at an instant, and what they are."""
    from timeline.model import Existence

    wanted = set(Existence) if existence == "any" else {Existence(existence)}
    conditions = _conditions(where)
    form = chosen(form, for_programs="jsonl")
    with open_engine(store) as engine:
        states = engine.resources(kind, at, conditions, source=source, existence=wanted, as_known_at=as_known_at)
        if form != "table":
            from timeline.reports import rows

            print_rows(states, form, rows.RESOURCES)
            return
        from timeline.reports import tables

        print_table(tables.resources(states, conditions))


@click.command(
    epilog=examples(
        "timeline show instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --at 2026-03-01T12:00:00Z",
        "timeline show 9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --at -2h",
    )
)
@click.argument("resource")
@click.option("--at", type=INSTANT, default="now", show_default=True, help="The instant.")
@source_option
@as_known_at_option
@store_option
@format_option
def show_(resource: str, at: int, source: str | None, as_known_at: int | None, store: str, form: str | None) -> None:
    """Show what a resource was at an instant, since when, and until when.

    RESOURCE is TYPE/ID; a bare ID will do where only one resource has it.
    """
    from timeline.reports import shapes

    form = chosen(form)
    with open_engine(store) as engine:
        timeline = _timeline(engine, resource, source, as_known_at)
    if form != "table":
        print_object(shapes.show(timeline, at), form)
        return
    from timeline.reports import tables

    print_table(tables.show(timeline, at))


@click.command(
    epilog=examples("timeline history instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --from 2026-03-01 --to 2026-04-01")
)
@click.argument("resource")
@click.option("--from", "start", type=INSTANT, help="From this instant on.")
@click.option("--to", "end", type=INSTANT, help="Until before this instant.")
@source_option
@as_known_at_option
@store_option
@rows_format_option
def history_(
    resource: str,
    start: int | None,
    end: int | None,
    source: str | None,
    as_known_at: int | None,
    store: str,
    form: str | None,
) -> None:
    """Tell the history of a resource, from the first evidence on; with a range, what was in force in it.

    The table shows what changed from line to line; the other formats have the whole state of each.
    """
    _check_range(start, end)
    form = chosen(form)
    with open_engine(store) as engine:
        timeline = _timeline(engine, resource, source, as_known_at)
    segments = timeline.between(start, end)
    if form != "table":
        from timeline.reports import rows

        print_rows(segments, form, rows.HISTORY)
        return
    from timeline.reports import formats, shapes, tables

    print_table(tables.history(segments))
    for event in timeline.posthumous:
        if (start is None or event.occurred_at >= start) and (end is None or event.occurred_at < end):
            occurred_at = shapes.event(event, provenance=False)["occurred_at"]
            click.echo(f"after the delete, without effect: {occurred_at} {formats.text(event.event_type)}")


@click.command(
    epilog=examples("timeline diff instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --from 2026-03-01 --to now")
)
@click.argument("resource")
@click.option("--from", "start", type=INSTANT, required=True, help="The instant before.")
@click.option("--to", "end", type=INSTANT, default="now", show_default=True, help="The instant after.")
@source_option
@as_known_at_option
@store_option
@format_option
def diff_(
    resource: str,
    start: int,
    end: int,
    source: str | None,
    as_known_at: int | None,
    store: str,
    form: str | None,
) -> None:
    """Compare what a resource was at two instants."""
    from timeline.reports import shapes

    form = chosen(form)
    with open_engine(store) as engine:
        difference = _timeline(engine, resource, source, as_known_at).diff(start, end)
    if form != "table":
        print_object(shapes.diff(difference), form)
        return
    from timeline.reports import tables

    print_table(tables.diff(difference))


@click.command(
    epilog=examples("timeline explain instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 flavor --at 2026-03-01T12:00:00Z")
)
@click.argument("resource")
@click.argument("field")
@click.option("--at", type=INSTANT, default="now", show_default=True, help="The instant.")
@source_option
@as_known_at_option
@store_option
@format_option
def explain_(
    resource: str, field: str, at: int, source: str | None, as_known_at: int | None, store: str, form: str | None
) -> None:
    """Tell why a field has its value at an instant: which event set it, and how often it was confirmed since."""
    from timeline.reports import shapes

    if not _is_text(field):
        raise click.BadParameter(f"{field!r} is no name of a field", param_hint="'FIELD'")
    form = chosen(form)
    with open_engine(store) as engine:
        explained = _timeline(engine, resource, source, as_known_at).explain(at, field)
    if form != "table":
        print_object(shapes.explanation(explained), form)
        return
    from timeline.reports import tables

    print_table(tables.explanation(explained))


def _timeline(engine: Engine, resource: str, source: str | None, as_known_at: int | None) -> Timeline:
    try:
        found = engine.find(resource, source=source)
    except ResourceNotFound as error:
        if error.suggestions:
            raise
        raise ResourceNotFound(f"{error}; `timeline resources --existence any` lists what is in the store") from None
    return engine.timeline(found.type, found.id, source=found.source, as_known_at=as_known_at)


def _conditions(where: tuple[str, ...]) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    for text in where:
        name, value = _condition(text)
        if name in conditions:
            raise click.BadParameter(f"{name!r} cannot have two values", param_hint="'--where'")
        conditions[name] = value
    return conditions


def _condition(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name or not _is_text(text):
        raise click.BadParameter(f"{text!r} is not FIELD=VALUE", param_hint="'--where'")
    if _JSON_VALUE.fullmatch(value):
        with suppress(msgspec.MsgspecError):  # "a"b" is no quoted text, and no field holds a number as great as 1e999
            return name, msgspec.json.decode(value)
    return name, value


def _is_text(argument: str) -> bool:
    """Whether an argument is text: its bytes need not be."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_range(start: int | None, end: int | None) -> None:
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from is not before --to: a range is [from, to)")
