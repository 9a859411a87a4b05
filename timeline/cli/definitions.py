"""The commands on definitions: what they are, and what they make of a notification."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from timeline.cli.options import (
    chosen,
    definitions_option,
    examples,
    files_of,
    format_option,
    print_list,
    print_rows,
    print_table,
    rows_format_option,
)
from timeline.cli.program import QUARANTINED

if TYPE_CHECKING:
    from timeline.definitions import Definitions, SampleRules
    from timeline.model import Message
    from timeline.reports.shapes import Shape


@click.group(epilog=examples("timeline definitions list", "timeline definitions try notification.json"))
def definitions_() -> None:
    """Look at definitions, and try out what they make of notifications."""


@definitions_.command("list", epilog=examples("timeline definitions list", "timeline definitions list --samples"))
@click.option("--samples", is_flag=True, help="The sample rules instead: the last that matches a meter decides.")
@definitions_option
@rows_format_option
def list_(samples: bool, definitions_file: str | None, form: str | None) -> None:
    """List the definitions in the order of their file: the last that matches an event type decides."""
    from timeline.definitions import Definitions

    form = chosen(form, for_programs="jsonl")
    definitions = Definitions.load(definitions_file)
    if samples:
        _list_samples(definitions.samples, form)
    else:
        _list_definitions(definitions, form)


def _list_definitions(definitions: Definitions, form: str) -> None:
    from timeline.reports import rows

    layout = rows.definitions(definitions.place)
    if form != "table":
        print_rows(definitions, form, layout)
        return
    from timeline.reports import tables

    cells = (
        (
            ", ".join(line["event_type"]),
            line["resource"] or "(by convention)",
            ", ".join(line["phase"]) or "(by event type)",
            line["version"],
            len(line["fields"]),
            int(line["place"].rpartition(":")[2]),
        )
        for line in map(layout.shape, definitions)
    )
    print_table(tables.rows(("event type", "resource", "phase", "version", "fields", "line"), cells))


def _list_samples(rules: SampleRules, form: str) -> None:
    from timeline.reports import rows

    layout = rows.sample_rules(rules.place)
    if form != "table":
        print_rows(rules, form, layout)
        return
    from timeline.reports import tables

    # the rules may be those of the shipped file, though the definitions are of another
    cells = (
        (
            ", ".join(line["meter"]),
            line["type"],
            line["id"] or "(the whole)",
            line["cumulative"],
            Path(line["place"]).name,
        )
        for line in map(layout.shape, rules)
    )
    print_table(tables.rows(("meter", "type", "id", "cumulative", "place"), cells))


@definitions_.command(
    "try",
    epilog=examples(
        "timeline definitions try notification.json",
        "timeline definitions try --definitions mine.yaml notifications.jsonl",
    ),
)
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@definitions_option
@format_option
@click.pass_context
def try_(ctx: click.Context, paths: tuple[str, ...], definitions_file: str | None, form: str | None) -> None:
    """Tell what the notifications in files would become. Nothing is stored."""
    from timeline.definitions import Definitions

    form = chosen(form)
    refused = False

    def lines() -> Iterator[Shape]:
        nonlocal refused
        definitions = Definitions.load(definitions_file)
        for message in files_of(paths):
            for line in _tried(definitions, message):
                refused = refused or line["outcome"] == "quarantined"
                yield line

    if form != "table":
        print_list(lines(), form)
    else:
        from timeline.reports import tables

        for line in lines():
            print_table(tables.trial(line))
    if refused:
        ctx.exit(QUARANTINED)


def _tried(definitions: Definitions, message: Message) -> Iterator[Shape]:
    from timeline import masking
    from timeline.engine.storing import read
    from timeline.errors import NotificationError
    from timeline.reports import shapes

    about: dict[str, Any] = {"origin": message.origin}
    try:
        notification = read(message)
        about |= {"event_type": notification.event_type, "message_id": notification.message_id}
        trials = definitions.try_out(notification)
    except NotificationError as error:
        detail = masking.mask(error.detail.encode()).decode()
        yield {**about, "outcome": "quarantined", "reason": error.reason, "detail": detail}
        return
    if trials is None:
        yield {**about, "outcome": "out_of_scope"}
        return
    for trial in trials:
        yield {**about, **shapes.trial(trial)}
