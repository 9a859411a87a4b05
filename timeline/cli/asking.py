"""The commands that ask: what resources there are, what one was, when it changed, and why."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from timeline.cli.options import (
    INSTANT,
    as_known_at_option,
    chosen,
    format_option,
    open_engine,
    print_list,
    print_object,
    print_table,
    source_option,
    store_option,
)

if TYPE_CHECKING:
    from timeline.engine import Engine
    from timeline.replay import Timeline

_JSON_VALUE = re.compile(r'null|true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|".*"', re.DOTALL)
_STATES = ("present", "deleted", "unknown", "any")


@click.command()
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
@format_option
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
    """List the resources that are there at an instant, and what they are.

    \b
    timeline resources --type instance --at 2026-03-01 --where flavor=m1.large
    """
    from timeline.model import Existence
    from timeline.reports import shapes, tables

    wanted = set(Existence) if existence == "any" else {Existence(existence)}
    conditions = dict(_condition(each) for each in where)
    form = chosen(form, for_programs="jsonl")
    with open_engine(store) as engine:
        states = engine.resources(kind, at, conditions, source=source, existence=wanted, as_known_at=as_known_at)
        if form != "table":
            print_list(map(shapes.state, states), form)
            return
        shown = ("name", "state", "project_id", *(name for name in conditions if name not in ("name", "state")))
        names = ("resource", "existence", *dict.fromkeys(shown))
        rows = ((str(each.resource), each.existence, *(each.fields.get(name) for name in names[2:])) for each in states)
        print_table(tables.rows(names, rows))


@click.command()
@click.argument("resource")
@click.option("--at", type=INSTANT, default="now", show_default=True, help="The instant.")
@source_option
@as_known_at_option
@store_option
@format_option
def show_(resource: str, at: int, source: str | None, as_known_at: int | None, store: str, form: str | None) -> None:
    """Show what a resource was at an instant, since when, and until when.

    RESOURCE is TYPE/ID; a bare ID will do where only one resource has it.

    \b
    timeline show instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --at 2026-03-01T12:00:00Z
    timeline show 9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --at -2h
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


@click.command()
@click.argument("resource")
@click.option("--from", "start", type=INSTANT, help="From this instant on.")
@click.option("--to", "end", type=INSTANT, help="Until before this instant.")
@source_option
@as_known_at_option
@store_option
@format_option
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

    The table shows what changed from line to line; JSON has the whole state of each.

    \b
    timeline history instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --from 2026-03-01 --to 2026-04-01
    """
    from timeline.reports import shapes

    _check_range(start, end)
    form = chosen(form)
    with open_engine(store) as engine:
        timeline = _timeline(engine, resource, source, as_known_at)
    segments = timeline.between(start, end)
    if form != "table":
        print_list(map(shapes.segment, segments), form)
        return
    from timeline.reports import formats, tables

    print_table(tables.history(segments))
    for event in timeline.posthumous:
        moment = shapes.event(event, provenance=True)
        click.echo(f"after the delete, without effect: {moment['occurred_at']} {formats.text(event.event_type)}")


@click.command()
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
    """Compare what a resource was at two instants.

    \b
    timeline diff instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --from 2026-03-01 --to now
    """
    from timeline.reports import shapes

    form = chosen(form)
    with open_engine(store) as engine:
        difference = _timeline(engine, resource, source, as_known_at).diff(start, end)
    if form != "table":
        print_object(shapes.diff(difference), form)
        return
    from timeline.reports import tables

    print_table(tables.diff(difference))


@click.command()
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
    """Tell why a field has its value at an instant: which event set it, and how often it was confirmed since.

    \b
    timeline explain instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 flavor --at 2026-03-01T12:00:00Z
    """
    from timeline.reports import shapes

    form = chosen(form)
    with open_engine(store) as engine:
        timeline = _timeline(engine, resource, source, as_known_at)
    shape = dict(shapes.explanation(timeline.explain(at, field)))
    if form != "table":
        print_object(shape, form)
        return
    from timeline.reports import tables

    set_by = shape.pop("set_by")
    shape.setdefault("value", "(not collected: no message of this life has spoken of it)")
    pairs = chain(shape.items(), ((f"set by {name}", value) for name, value in (set_by or {}).items()))
    print_table(tables.pairs(dict(pairs)))


def _timeline(engine: Engine, resource: str, source: str | None, as_known_at: int | None) -> Timeline:
    found = engine.find(resource, source=source)
    return engine.timeline(found.type, found.id, source=found.source, as_known_at=as_known_at)


def _condition(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not FIELD=VALUE", param_hint="--where")
    return name, json.loads(value) if _JSON_VALUE.fullmatch(value) else value


def _check_range(start: int | None, end: int | None) -> None:
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from is not before --to: a range is [from, to)")
