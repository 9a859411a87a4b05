"""One document or a line each, a table or JSON: as it was asked for, else as it is read, and never a mixture.

Rows in columns have tests of their own.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.messages import written
from tests.cli.running import Ran, run, run_on_screen

LISTS = (
    ("history", "thing/t1"),
    ("resources", "--existence", "any"),
    ("quarantine", "list"),
    ("definitions", "list"),
    ("definitions", "try", "messages.jsonl"),
)
A_LINE_EACH = (("resources", "--existence", "any"), ("quarantine", "list"), ("definitions", "list"))
"""The lists that programs get so unless they ask for something else."""
OBJECTS = (
    ("ingest", "messages.jsonl"),
    ("show", "thing/t1"),
    ("diff", "thing/t1", "--from", "2026-03-01"),
    ("explain", "thing/t1", "size"),
    ("quarantine", "show", ""),
    ("quarantine", "retry"),
    ("status",),
)


@pytest.fixture
def bad(history: None) -> None:
    run("ingest", written("bad.jsonl", b"no JSON"))


def named(command: tuple[str, ...]) -> str:
    return " ".join(command[:2])


@pytest.mark.usefixtures("bad")
@pytest.mark.parametrize("command", LISTS, ids=named)
def test_a_list_is_one_document_in_json_and_a_line_each_in_jsonl(command: tuple[str, ...]) -> None:
    document, lines = run(*command, "--format", "json"), run(*command, "--format", "jsonl")
    assert isinstance(document.json, list)
    assert document.json
    assert json.dumps(lines.lines) == json.dumps(document.json)
    assert document.err == lines.err == ""


@pytest.mark.usefixtures("bad")
@pytest.mark.parametrize("command", OBJECTS, ids=named)
def test_an_object_is_indented_in_json_and_one_line_in_jsonl(command: tuple[str, ...]) -> None:
    document, line = run(*command, "--format", "json"), run(*command, "--format", "jsonl")
    (only,) = line.lines
    assert document.out.startswith("{\n  ")
    assert list(document.json) == list(only)
    assert document.code == line.code == (3 if command[-1] == "retry" else 0)


@pytest.mark.usefixtures("bad")
@pytest.mark.parametrize("command", [*LISTS, *OBJECTS], ids=named)
def test_a_program_that_names_no_format_reads_json(command: tuple[str, ...]) -> None:
    ran = run(*command)
    assert ran.lines if command in A_LINE_EACH else ran.json


@pytest.mark.usefixtures("bad")
@pytest.mark.parametrize("command", [*LISTS, *OBJECTS], ids=named)
def test_a_table_is_no_json_and_has_no_colours_where_no_screen_is(command: tuple[str, ...]) -> None:
    ran = run(*command, "--format", "table")
    assert ran.out
    assert "\x1b" not in ran.out
    with pytest.raises(json.JSONDecodeError):
        json.loads(ran.out)


@pytest.mark.usefixtures("history")
def test_a_list_of_nothing_is_an_empty_list_or_no_line() -> None:
    nothing = ("resources", "--type", "nothing")
    assert run(*nothing, "--format", "json") == Ran(0, "[]\n", "")
    assert run(*nothing, "--format", "jsonl") == Ran(0, "", "")


@pytest.mark.usefixtures("history")
def test_a_screen_gets_json_if_that_is_asked_for() -> None:
    shown = run_on_screen("show", "thing/t1", "--at", "2026-03-01T12:40", "--format", "json")
    assert shown == run("show", "thing/t1", "--at", "2026-03-01T12:40").out


@pytest.mark.usefixtures("history")
def test_the_dump_is_lines_unless_columns_are_asked_for_and_never_a_table() -> None:
    assert run("export", "events") == run("export", "events", "--format", "jsonl")
    assert run_on_screen("export", "events") == run("export", "events").out
    for form in ("table", "json"):
        assert run("export", "events", "--format", form).code == 2


def test_what_is_said_beside_an_answer_goes_to_standard_error(store: Path) -> None:
    ran = run("ingest", written("bad.jsonl", b"no JSON"))
    assert ran.json["quarantined"] == 1
    assert ran.sentences == ["timeline: 1 quarantined; `timeline quarantine list` names them"]
