"""What programs read, to the key and its place; and what people read, which no name can disturb."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.messages import clock, thing, written
from tests.cli.running import run

TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
THING = {"type": "thing", "id": "t1", "source": ""}


def same(answer: Any, expected: Any) -> None:
    """Equal, and in this order."""
    assert json.dumps(answer) == json.dumps(expected)


# What each command promises


def test_ingest_counts_what_became_of_the_messages(store: Path) -> None:
    messages = (
        thing("create", "12:00", size="large"),
        thing("create", "12:00", "t2", name="two"),
        thing("create", "12:00", "t2", name="two"),
        thing("create", "12:00", kind="elsewhere"),
        thing("create", None),
        b"no JSON",
    )
    ran = run("ingest", written("messages.jsonl", *messages))
    expected = {
        "notifications": 6,
        "in_scope": 3,
        "out_of_scope": 1,
        "quarantined": 2,
        "events": 2,
        "bodies": 2,
        "duplicates": 1,
        "unreadable_fields": 1,
    }
    same(ran.json, expected)
    assert ran.code == 3


@pytest.mark.usefixtures("history")
def test_show_tells_the_state_and_the_span_in_which_it_holds() -> None:
    expected = {
        "resource": THING,
        "at": clock("12:40"),
        "as_known_at": None,
        "existence": "present",
        "life": 1,
        "since": clock("12:30"),
        "until": clock("13:00"),
        "ambiguous": [],
        "fields": {"name": "one", "size": 2, "tags": {"a": [True, None], "b": 1}},
    }
    same(run("show", "thing/t1", "--at", "2026-03-01T12:40").json, expected)


@pytest.mark.usefixtures("history")
def test_show_of_something_deleted_tells_its_last_fields_too() -> None:
    expected = {
        "resource": THING,
        "at": clock("15:00"),
        "as_known_at": None,
        "existence": "deleted",
        "life": 1,
        "since": clock("14:00"),
        "until": None,
        "ambiguous": [],
        "fields": {},
        "last": {"name": "one", "size": 2, "state": "", "tags": None},
    }
    same(run("show", "thing/t1", "--at", "2026-03-01T15:00").json, expected)


@pytest.mark.usefixtures("history")
def test_show_before_the_first_evidence_is_unknown() -> None:
    expected = {
        "resource": THING,
        "at": clock("11:00"),
        "as_known_at": "9999-12-31T23:59:59.999999Z",
        "existence": "unknown",
        "life": 0,
        "since": None,
        "until": clock("12:00"),
        "ambiguous": [],
        "fields": {},
    }
    asked = ("--at", "2026-03-01T11:00", "--as-known-at", "9999-12-31T23:59:59.999999Z")
    same(run("show", "thing/t1", *asked).json, expected)


def test_show_names_the_fields_that_two_messages_of_one_instant_gave_two_values(store: Path) -> None:
    rivals = (thing("update", "12:00", size=1, name="x"), thing("update", "12:00", size=2, name="x"))
    run("ingest", written("messages.jsonl", *rivals))
    shown = run("show", "thing/t1").json
    assert shown["ambiguous"] == ["size"]
    assert shown["fields"]["size"] in (1, 2)
    assert run("history", "thing/t1").json[0]["ambiguous"] == ["size"]


def lived() -> list[dict[str, Any]]:
    """The history of the thing."""
    fields: list[dict[str, Any]] = [
        {"name": "one", "size": 1, "tags": {"a": [True, None], "b": 1}},
        {"name": "one", "size": 2, "tags": {"a": [True, None], "b": 1}},
        {"name": "one", "size": 2, "state": "", "tags": None},
    ]
    bounds = (("12:00", "12:30"), ("12:30", "13:00"), ("13:00", "14:00"))
    alive = [
        segment(start, end, "present", 1, "create", said) for (start, end), said in zip(bounds, fields, strict=True)
    ]
    return [*alive, segment("14:00", None, "deleted", 1, "create", {})]


def segment(
    start: str, end: str | None, existence: str, life: int, born: str | None, fields: dict[str, Any]
) -> dict[str, Any]:
    return {
        "start": clock(start),
        "end": None if end is None else clock(end),
        "existence": existence,
        "life": life,
        "born": born,
        "ambiguous": [],
        "fields": fields,
    }


@pytest.mark.usefixtures("history")
def test_history_begins_with_the_first_evidence_and_ends_open() -> None:
    same(run("history", "thing/t1").json, lived())


@pytest.mark.usefixtures("history")
def test_a_range_of_a_history_is_clipped_and_begins_with_what_was_in_force() -> None:
    asked = ("--from", "2026-03-01T11:00", "--to", "2026-03-01T12:45")
    small, large, *_ = lived()
    unknown = segment("11:00", "12:00", "unknown", 0, None, {})
    same(run("history", "thing/t1", *asked).json, [unknown, small, {**large, "end": clock("12:45")}])

    asked = ("--from", "2026-03-01T12:40", "--to", "2026-03-01T12:41")
    same(run("history", "thing/t1", *asked).json, [{**large, "start": clock("12:40"), "end": clock("12:41")}])

    asked = ("--from", "2026-03-01T10:00", "--to", "2026-03-01T11:00")
    same(run("history", "thing/t1", *asked).json, [segment("10:00", "11:00", "unknown", 0, None, {})])

    *_, deleted = lived()
    same(run("history", "thing/t1", "--from", "2026-03-01T15:00").json, [{**deleted, "start": clock("15:00")}])


@pytest.mark.usefixtures("history")
def test_diff_compares_two_instants() -> None:
    expected = {
        "changed": {"size": [1, 2], "tags": [{"a": [True, None], "b": 1}, None]},
        "added": {"state": ""},
        "removed": {},
        "existence": ["present", "present"],
    }
    same(run("diff", "thing/t1", "--from", "2026-03-01T12:10", "--to", "2026-03-01T13:10").json, expected)
    expected = {
        "changed": {},
        "added": {},
        "removed": {"name": "one", "size": 2, "state": "", "tags": None},
        "existence": ["present", "deleted"],
    }
    same(run("diff", "thing/t1", "--from", "2026-03-01T13:10").json, expected)


@pytest.mark.usefixtures("history")
def test_explain_names_the_event_that_set_a_field_and_counts_those_that_confirmed_it() -> None:
    told = run("explain", "thing/t1", "size", "--at", "2026-03-01T12:50").json
    assert TIME.fullmatch(told["set_by"].pop("recorded_at"))
    expected = {
        "field": "size",
        "value": 2,
        "set_by": {"event_type": "thing.update", "message_id": "thing-update-12:30", "occurred_at": clock("12:30")},
        "confirmed_by": 1,
        "last_confirmed": clock("12:45"),
    }
    same(told, expected)


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("field", "at"), [("state", "12:50"), ("nothing", "12:50"), ("size", "15:00"), ("size", "11:00"), ("name", "15:00")]
)
def test_explain_of_what_is_not_collected_has_no_value(field: str, at: str) -> None:
    expected = {"field": field, "set_by": None, "confirmed_by": 0, "last_confirmed": None}
    same(run("explain", "thing/t1", field, "--at", f"2026-03-01T{at}").json, expected)


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(("field", "value"), [("tags", None), ("state", "")])
def test_explain_tells_null_and_the_empty_text_from_what_is_not_collected(field: str, value: object) -> None:
    told = run("explain", "thing/t1", field, "--at", "2026-03-01T13:10").json
    assert list(told) == ["field", "value", "set_by", "confirmed_by", "last_confirmed"]
    assert (told["value"], told["set_by"]["occurred_at"]) == (value, clock("13:00"))


@pytest.mark.usefixtures("history")
def test_resources_are_a_line_each() -> None:
    at = ("--at", "2026-03-01T12:40")
    first = {"resource": THING, "existence": "present", "fields": lived()[1]["fields"]}
    second = {"resource": {**THING, "id": "t2"}, "existence": "present", "fields": {"name": "two"}}
    same(run("resources", *at).lines, [first, second])
    same(run("resources", *at, "--format", "json").json, [first, second])
    same(run("resources", "--existence", "deleted").lines, [{"resource": THING, "existence": "deleted", "fields": {}}])


def test_quarantine_list_is_a_line_each(store: Path) -> None:
    path = written("messages.jsonl", b"no JSON", thing("create", None))
    assert run("ingest", path).code == 3
    first, second = sorted(run("quarantine", "list").lines, key=lambda line: line["reason"])
    for line in (first, second):
        assert list(line) == ["id", "reason", "origin", "received_at", "event_type", "message_id", "size"]
        assert re.fullmatch("[0-9a-f]{64}", line["id"])
        assert TIME.fullmatch(line["received_at"])
    told = [list(line.values())[1:3] + list(line.values())[4:] for line in (first, second)]
    same(
        told,
        [
            ["no-time", f"{path}:2", "thing.create", "thing-create-None", len(json.dumps(thing("create", None)))],
            ["not-json", f"{path}:1", None, None, 7],
        ],
    )


@pytest.mark.usefixtures("history")
def test_the_dump_is_a_line_for_each_event_in_the_order_of_the_model() -> None:
    def line(at: str, phase: str, fields: dict[str, Any], id: str = "t1") -> dict[str, Any]:
        body = {"f": fields, "v": 3}
        return {"type": "thing", "source": "", "id": id, "occurred_at": clock(at), "phase": phase, "body": body}

    expected = [
        line("12:00", "create", lived()[0]["fields"]),
        line("12:30", "update", {"size": 2}),
        line("12:45", "exists", {"name": "one", "size": 2}),
        line("13:00", "update", {"state": "", "tags": None}),
        line("14:00", "delete", {}),
        line("14:05", "update", {"size": 3}),
        line("12:00", "create", {"name": "two"}, "t2"),
    ]
    same(run("export", "events").lines, expected)
    proven = run("export", "events", "--provenance").lines
    for plain, line in zip(expected, proven, strict=True):
        assert list(line) == [*plain, "event_type", "message_id", "recorded_at"]
        assert {name: line[name] for name in plain} == plain
        assert TIME.fullmatch(line["recorded_at"])
    assert (proven[0]["event_type"], proven[0]["message_id"]) == ("thing.create", "thing-create-12:00")


@pytest.mark.usefixtures("history")
def test_status_tells_what_the_store_holds() -> None:
    run("ingest", written("bad.jsonl", b"no JSON", b"nor this"))
    told = run("status").json
    assert TIME.fullmatch(told.pop("newest_record"))
    expected = {
        "store": "sqlite:///timeline.db",
        "revision": "0003",
        "resources": 2,
        "events": 7,
        "bodies": 7,
        "first_event": clock("12:00"),
        "last_event": clock("14:05"),
        "quarantined": {"not-json": 2},
        "many_bodies": [],
    }
    same(told, expected)


def test_status_of_an_empty_store_has_no_times(store: Path) -> None:
    told = run("status").json
    assert [told[name] for name in ("first_event", "last_event", "newest_record", "quarantined")] == [None] * 3 + [{}]


def test_status_names_resources_with_suspiciously_many_bodies(store: Path) -> None:
    run("ingest", written("messages.jsonl", *(thing("update", "12:00", size=size) for size in range(1_001))))
    assert run("status").json["many_bodies"] == [{"resource": THING, "bodies": 1_001}]
    assert "thing/t1" in run("status", "--format", "table").out
