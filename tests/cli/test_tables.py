"""Tables: what people read, in a fixed order, and which no name can disturb."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.messages import clock, thing, written
from tests.cli.running import run, run_on_screen, run_process


def cells(table: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in table.split("\n") if line.strip(" ─")]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("command", [("show", "thing/t1"), ("history", "thing/t1"), ("resources",), ("status",)])
def test_a_person_who_looks_at_a_screen_sees_a_table(command: tuple[str, ...]) -> None:
    seen = run_on_screen(*command)
    assert "\x1b[" in seen
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert [line[0] for line in cells(plain)] == [line[0] for line in cells(run(*command, "--format", "table").out)]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("width", [1, 20, 60, 80])
def test_a_narrow_screen_folds_and_loses_nothing(width: int) -> None:
    for command in (("history", "thing/t1"), ("show", "thing/t1"), ("resources", "--existence", "any")):
        seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", run_on_screen(*command, width=width))
        whole = run(*command, "--format", "table").out
        assert clock("14:00") in seen or clock("14:00") not in whole
        letters = re.compile(r"[\s─]|[0-9]{4}-[0-9-]*T[0-9:.]*Z")  # when it is now differs, and words are folded
        assert sorted(letters.sub("", seen)) == sorted(letters.sub("", whole))


@pytest.mark.usefixtures("history")
def test_the_table_of_a_history_shows_only_what_changed() -> None:
    told = cells(run("history", "thing/t1", "--format", "table").out)
    assert told == [
        ["from", "existence", "life", "changes"],
        [clock("12:00"), "present", "1", "(born: create)"],
        ["name: one"],
        ["size: 1"],
        ['tags: {"a":[true,null],"b":1}'],
        [clock("12:30"), "present", "1", "size: 1 → 2"],
        [clock("13:00"), "present", "1", 'state: ""'],
        ['tags: {"a":[true,null],"b":1} → null'],
        [clock("14:00"), "deleted", "1"],
        ["after the delete, without effect: 2026-03-01T14:05:00.000000Z thing.update"],
    ]


@pytest.mark.usefixtures("history")
def test_the_table_of_a_range_begins_with_what_was_in_force_and_tells_where_it_ends() -> None:
    span = ("--from", "2026-03-01T11:00", "--to", "2026-03-01T12:40")
    first, *_, last = cells(run("history", "thing/t1", *span, "--format", "table").out)[1:]
    assert (first, last) == ([clock("11:00"), "unknown"], [clock("12:40"), "(the range ends)"])


@pytest.mark.usefixtures("history")
def test_the_table_of_a_range_tells_of_what_came_after_the_delete_only_within_it() -> None:
    within = run("history", "thing/t1", "--from", "2026-03-01T14:00", "--format", "table").out
    before = run("history", "thing/t1", "--to", "2026-03-01T14:05", "--format", "table").out
    assert "without effect" in within
    assert "without effect" not in before


@pytest.mark.usefixtures("history")
def test_the_table_of_a_state_has_the_fields_in_order_and_those_before_a_delete() -> None:
    told = cells(run("show", "thing/t1", "--at", "2026-03-01T15:00", "--format", "table").out)
    assert told == [
        ["resource", "thing/t1"],
        ["at", clock("15:00")],
        ["existence", "deleted"],
        ["since", clock("14:00")],
        ["until", "-"],
        ["life", "1, born: create"],
        ["before the delete"],
        ["name", "one"],
        ["size", "2"],
        ["state", '""'],
        ["tags", "null"],
    ]


@pytest.mark.usefixtures("history")
def test_tables_tell_null_from_what_is_not_collected() -> None:
    at = ("--at", "2026-03-01T13:10", "--format", "table")
    assert cells(run("resources", "--existence", "any", *at).out) == [
        ["resource", "existence", "name", "state", "project_id"],
        ["thing/t1", "present", "one", '""', "-"],
        ["thing/t2", "present", "two", "-", "-"],
    ]
    assert cells(run("resources", "--where", "tags=null", *at).out)[1][-1] == "null"
    assert ["value", "null"] in cells(run("explain", "thing/t1", "tags", *at).out)
    missing = "(not collected: no message of this life has spoken of it)"
    assert cells(run("explain", "thing/t1", "nothing", *at).out)[:2] == [["field", "nothing"], ["value", missing]]
    tried = cells(run("definitions", "try", "messages.jsonl", "--format", "table").out)
    assert ["fields: tags", "null"] in tried


def test_a_table_of_resources_tells_their_sources_where_there_are_any(store: Path) -> None:
    run("ingest", written("messages.jsonl", *(thing("create", "12:00", region=name) for name in ("east", "west"))))
    assert [line[:2] for line in cells(run("resources", "--format", "table").out)] == [
        ["resource", "source"],
        ["thing/t1", "east"],
        ["thing/t1", "west"],
    ]


def test_a_text_that_looks_like_another_value_is_quoted_in_a_table(store: Path) -> None:
    looks = {"a": "1", "b": "null", "c": "[1]", "d": "0001", "e": "-", "f": "x"}
    for name, text in looks.items():
        run("ingest", written(f"{name}.jsonl", thing("create", "12:00", name, value=text)))
    told = cells(run("resources", "--where", 'value="1"', "--format", "table").out)
    assert told[1][-1] == '"1"'
    shown = {name: cells(run("show", f"thing/{name}", "--format", "table").out) for name in looks}
    values = {name: table[-1][-1] for name, table in shown.items()}
    assert values == {"a": '"1"', "b": '"null"', "c": '"[1]"', "d": "0001", "e": "-", "f": "x"}


NASTY = {
    "markup": "[red]x[/red][/]",
    "link": "[link=file:///etc/passwd]x[/link]",
    "emoji code": ":smile:",
    "colour": "\x1b[31mred",
    "title": "\x1b]0;owned\x07",
    "clear": "\x1bc\x9b2J",
    "nul": "a\x00b",
    "line": "a\nb\r\x85\u2028c",
    "tab": "a\tb",
    "right to left": "\u202egpj.exe",
    "wide": "計算 🙂",
    "combining": "e\u0301",
}
DANGEROUS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


@pytest.mark.parametrize("name", NASTY.values(), ids=list(NASTY))
def test_no_name_disturbs_a_table_or_a_message(store: Path, name: str) -> None:
    messages = (thing("create", "12:00", name, name=name, tags={name: name}), thing("delete", "13:00", "t2"))
    run("ingest", written("messages.jsonl", *messages, thing("update", "14:00", "t2", name=name)))
    identity = f"thing/{name}"
    tables = [
        run("show", identity, "--format", "table").out,
        run("history", identity, "--format", "table").out,
        run("diff", identity, "--from", "2026-03-01", "--format", "table").out,
        run("explain", identity, "tags", "--format", "table").out,
        run("resources", "--format", "table", "--where", f"name={json.dumps(name)}").out,
        run("definitions", "try", "messages.jsonl", "--format", "table").out,
        run("show", f"{identity}!").err,
        run("show", name * 2).err,
    ]
    as_text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in name)
    as_json = "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in name)
    for table in tables:
        assert not DANGEROUS.search(table)
        assert as_text in table or as_json in table
    assert run("show", identity).json["fields"]["name"] == name


def test_nor_does_the_name_of_a_file_or_an_event_type(store: Path) -> None:
    path = written("a\x1b[31m\nb.jsonl", b"no JSON", thing("cre\x1b[31mate", None))
    assert run("ingest", path).code == 3
    for table in (run("quarantine", "list", "--format", "table").out, run("ingest", f"{path}?").err):
        assert not DANGEROUS.search(table)
        assert "\\x1b[31m" in table
    assert len(run("ingest", f"{path}?").sentences) == 1


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_screen_without_the_letters_shows_them_escaped(store: Path, form: str) -> None:
    run("ingest", written("wide.jsonl", thing("create", "12:00", name="träger 計算")))
    ran = run_process("history", "thing/t1", "--format", form, PYTHONIOENCODING="ascii")
    assert (ran.code, ran.err) == (0, "")
    assert ("tr\\xe4ger \\u8a08\\u7b97" if form == "table" else "träger 計算") in ran.out
