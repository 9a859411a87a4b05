"""The quarantine as a tool: some of it listed and counted, the place that is wrong, exported, dropped with a reason."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.messages import DEFINITIONS, thing, written
from tests.cli.running import ROOT, Ran, run, run_on_screen, run_process

BECAUSE = "sent by a test of the vendor"


@pytest.fixture
def quarantine(store: Path) -> dict[str, str]:
    """Messages in quarantine; the ids by names."""
    messages: dict[str, dict[str, Any] | bytes] = {
        "plain": b"plain",
        "cut": b'{"event_type": "thing.create", "payload": {"id": "t1"',
        "untimed": thing("create", None),
        "nameless": thing("create", "12:00", None),
        "other": thing("update", "12:00", None, kind="other"),
    }
    assert run("ingest", written("messages.jsonl", *messages.values())).json["quarantined"] == len(messages)
    found = {line["origin"]: line["id"] for line in run("quarantine", "list").lines}
    return {name: found[f"messages.jsonl:{number}"] for number, name in enumerate(messages, 1)}


def listed(*options: str) -> set[str]:
    return {line["id"] for line in run("quarantine", "list", *options).lines}


def ids(quarantine: dict[str, str], *names: str) -> set[str]:
    return {quarantine[name] for name in names}


# Some of it


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--reason", "not-json"], ["plain", "cut"]),
        (["--reason", "no-time", "--reason", "no-resource-id"], ["untimed", "nameless", "other"]),
        (["--event-type", "thing.*"], ["untimed", "nameless"]),
        (["--event-type", "*.update", "--event-type", "nothing"], ["other"]),
        (["--event-type", "*"], ["untimed", "nameless", "other"]),
        (["--event-type", "THING.*"], []),
        (["--reason", "no-resource-id", "--event-type", "thing.*"], ["nameless"]),
        (["--reason", "not"], []),
    ],
)
def test_some_are_listed_by_reason_and_event_type(
    quarantine: dict[str, str], options: list[str], names: list[str]
) -> None:
    assert listed(*options) == ids(quarantine, *names)


def test_they_are_counted_by_reason_and_event_type_the_most_first(quarantine: dict[str, str]) -> None:
    assert run("quarantine", "list", "--count").lines == [
        {"reason": "not-json", "event_type": None, "number": 2},
        {"reason": "no-resource-id", "event_type": "other.update", "number": 1},
        {"reason": "no-resource-id", "event_type": "thing.create", "number": 1},
        {"reason": "no-time", "event_type": "thing.create", "number": 1},
    ]
    some = run("quarantine", "list", "--count", "--event-type", "thing.*", "--format", "csv").out
    assert list(csv.reader(io.StringIO(some))) == [
        ["reason", "event_type", "number"],
        ["no-resource-id", "thing.create", "1"],
        ["no-time", "thing.create", "1"],
    ]
    assert "no-resource-id" in run_on_screen("quarantine", "list", "--count")


def test_settled_ones_are_listed_and_counted_where_they_are_asked_for(quarantine: dict[str, str]) -> None:
    run("quarantine", "drop", quarantine["plain"], "--because", BECAUSE)
    Path("lacking.yaml").write_text(DEFINITIONS.replace("event_type: other", "event_type: nothing"))
    assert run("quarantine", "retry", quarantine["other"], "--definitions", "lacking.yaml").code == 0
    assert listed() == ids(quarantine, "cut", "untimed", "nameless")

    lines = {line["id"]: line for line in run("quarantine", "list", "--settled").lines}
    assert lines.keys() == set(quarantine.values())
    plain, other, cut = (lines[quarantine[name]] for name in ("plain", "other", "cut"))
    assert list(plain)[-3:] == ["outcome", "settled_at", "note"]
    assert (plain["outcome"], plain["note"], plain["settled_at"] is None) == ("dropped", BECAUSE, False)
    assert (other["outcome"], other["note"]) == ("out_of_scope", None)
    assert (cut["outcome"], cut["settled_at"], cut["note"]) == (None, None, None)
    counted = run("quarantine", "list", "--settled", "--count", "--reason", "not-json").lines
    assert [(each["outcome"], each["number"]) for each in counted] == [(None, 1), ("dropped", 1)]
    assert BECAUSE in run_on_screen("quarantine", "list", "--settled")


# The place that is wrong


def shown(id: str) -> Any:
    return run("quarantine", "show", id).json


def test_the_place_is_shown_be_it_a_byte_or_a_path(quarantine: dict[str, str]) -> None:
    places = {name: shown(id)["place"] for name, id in quarantine.items()}
    assert places == {
        "plain": "byte 0: >>>plain",
        "cut": 'byte 53: ...: "thing.create", "payload": {"id": "t1">>>',
        "untimed": "timestamp",
        "nameless": "payload.id",
        "other": "payload.id",
    }
    assert "payload.id" in run("quarantine", "show", quarantine["nameless"], "--format", "table").out


def test_the_text_around_a_byte_has_no_secrets(store: Path) -> None:
    secret = "hunter2-and-more"
    run(
        "ingest",
        written(
            "messages.jsonl",
            b'{"event_type": "thing.create", "auth_token": "%b" oops}' % secret.encode(),
            b'{"event_type": "thing.create", "auth_token": "%b\xff", "x": 1}' % secret.encode(),
            b'{"event_type": "thing.create", "size": 1e999, "auth_token": "%b"}' % secret.encode(),
        ),
    )
    broken, undecodable, large = (line["id"] for line in sorted(run("quarantine", "list").lines, key=origin))
    said = [run("quarantine", "show", id, "--format", form) for id in listed() for form in ("json", "table")]
    said += [run("quarantine", "export"), run("quarantine", "export", "--messages")]
    assert not any(secret in ran.out + ran.err for ran in said)
    assert shown(broken)["place"].startswith("byte ")
    assert shown(undecodable)["place"].startswith("byte ")
    assert shown(large)["place"].startswith('byte 39: {"event_type": "thing.create", "size": >>>1e999')


def origin(line: dict[str, Any]) -> str:
    return str(line["origin"])


# Read again


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--reason", "no-resource-id"], ["nameless", "other"]),
        (["--event-type", "thing.*"], ["untimed", "nameless"]),
        (["--reason", "no-resource-id", "--event-type", "other.*"], ["other"]),
    ],
)
def test_only_those_that_are_chosen_are_read_again(
    quarantine: dict[str, str], options: list[str], names: list[str]
) -> None:
    Path("none.yaml").write_text(DEFINITIONS.replace("event_type: ", "event_type: no."))
    retried = run("quarantine", "retry", *options, "--definitions", "none.yaml")
    assert (retried.code, retried.json["out_of_scope"]) == (0, len(names))
    assert listed() == set(quarantine.values()) - ids(quarantine, *names)


def test_a_dropped_message_that_is_named_is_open_again_and_read(quarantine: dict[str, str]) -> None:
    id = quarantine["nameless"]
    run("quarantine", "drop", id, "--because", BECAUSE)
    retried = run("quarantine", "retry", id)
    assert (retried.code, retried.json["quarantined"]) == (3, 1)
    assert (id in listed(), shown(id)["note"]) == (True, None)


def test_what_was_dropped_is_not_read_again_with_all_others(quarantine: dict[str, str]) -> None:
    run("quarantine", "drop", quarantine["plain"], "--because", BECAUSE)
    assert run("quarantine", "retry").json["notifications"] == len(quarantine) - 1
    assert shown(quarantine["plain"])["outcome"] == "dropped"


# Exported


def test_an_export_tells_all_of_each_record(quarantine: dict[str, str]) -> None:
    run("quarantine", "drop", quarantine["cut"], "--because", BECAUSE)
    exported = {line["id"]: line for line in run("quarantine", "export", "--settled").lines}
    assert exported == {id: {**shown(id), "encoding": "text"} for id in quarantine.values()}
    some = run("quarantine", "export", "--reason", "no-time").lines
    assert [line["id"] for line in some] == [quarantine["untimed"]]
    assert quarantine["cut"] not in {line["id"] for line in run("quarantine", "export").lines}


def test_bytes_that_are_no_text_are_exported_in_base64(store: Path) -> None:
    run("ingest", written("messages.jsonl", b'{"a": "\xff\xfe"}'))
    (line,) = run("quarantine", "export").lines
    assert (line["encoding"], base64.b64decode(line["message"])) == ("base64", b'{"a": "\xff\xfe"}')


def test_an_export_goes_to_a_file_that_is_not_replaced_unless_told(quarantine: dict[str, str]) -> None:
    assert run("quarantine", "export", "-o", "out.jsonl") == Ran(0, "", "")
    assert Path("out.jsonl").read_text() == run("quarantine", "export").out
    refused = run("quarantine", "export", "-o", "out.jsonl", "--reason", "no-time")
    assert (refused.code, "--force replaces it" in refused.err) == (2, True)
    assert run("quarantine", "export", "-o", "out.jsonl", "--reason", "no-time", "--force").code == 0
    assert len(Path("out.jsonl").read_text().splitlines()) == 1


def test_exported_messages_are_read_by_ingest(store: Path) -> None:
    over_lines = json.dumps([thing("create", "12:01", "t1"), thing("create", "12:02", "t2", name="a\nb")], indent=2)
    Path("lacking.yaml").write_text(DEFINITIONS.replace("payload.id, source", "payload.uuid, source"))
    Path("array.json").write_text(over_lines)
    wrapped = {"oslo.version": "2.0", "oslo.message": json.dumps(thing("create", "12:03", "t3"))}
    twice = json.dumps(json.dumps(thing("create", "12:04", "t4"))).encode()
    path = written("messages.jsonl", wrapped, twice, b"no JSON", b"[1, 2]")
    assert run("ingest", "array.json", path, "--definitions", "lacking.yaml").json["quarantined"] == 6

    exported = run("quarantine", "export", "--messages")
    assert exported.sentences == ["timeline: 2 left out: they are no JSON objects, or were kept in part"]
    assert len(exported.lines) == 4
    run("init", "--store", "sqlite:///other.db")
    again = run("ingest", "-", "--store", "sqlite:///other.db", stdin=exported.out.encode())
    assert (again.code, again.json["in_scope"]) == (0, 4)
    found = run("resources", "--store", "sqlite:///other.db").lines
    assert [line["resource"]["id"] for line in found] == ["t1", "t2", "t3", "t4"]


def test_exported_messages_with_masked_values_are_counted(store: Path) -> None:
    run("ingest", written("messages.jsonl", thing("create", None, password="hunter2")))
    exported = run("quarantine", "export", "--messages")
    (message,) = exported.lines
    assert message["payload"] == {"id": "t1", "password": "***masked***"}
    assert exported.sentences[0].startswith("timeline: 1 with masked values")


def test_a_message_that_was_cut_is_not_among_the_exported_messages(store: Path) -> None:
    run("ingest", written("long.jsonl", thing("create", "12:00", name="x" * (4 * 1024 * 1024))))
    assert len(run("quarantine", "export").lines) == 1
    exported = run("quarantine", "export", "--messages")
    assert (exported.out, len(exported.sentences)) == ("", 1)


# Dropped


def test_what_is_dropped_leaves_the_list_and_is_shown_with_the_reason(quarantine: dict[str, str]) -> None:
    plain, cut = quarantine["plain"], quarantine["cut"]
    dropped = run("quarantine", "drop", plain[:10], cut, plain, "--because", f" {BECAUSE}\n")
    assert (dropped.code, dropped.json, dropped.err) == (0, {"dropped": 2}, "")
    assert listed() == set(quarantine.values()) - {plain, cut}
    assert {name: shown(plain)[name] for name in ("outcome", "note")} == {"outcome": "dropped", "note": BECAUSE}
    assert run("quarantine", "drop", plain, "--because", "for another reason").json == {"dropped": 0}
    assert shown(plain)["note"] == BECAUSE
    assert run("status").json["quarantined"] == {"no-resource-id": 2, "no-time": 1}


def test_a_dropped_message_that_comes_again_is_open_again(quarantine: dict[str, str]) -> None:
    run("quarantine", "drop", quarantine["plain"], "--because", BECAUSE)
    run("ingest", "messages.jsonl")
    assert listed() == set(quarantine.values())
    assert (shown(quarantine["plain"])["outcome"], shown(quarantine["plain"])["note"]) == (None, None)


def test_all_of_a_kind_are_dropped_where_that_is_confirmed_beforehand(quarantine: dict[str, str]) -> None:
    asked = run("quarantine", "drop", "--event-type", "thing.*", "--because", BECAUSE)
    assert (asked.code, asked.out) == (2, "")
    assert "2 would be dropped, and nobody is there to be asked: add --yes" in asked.err
    assert listed() == set(quarantine.values())
    dropped = run("quarantine", "drop", "--event-type", "thing.*", "--because", BECAUSE, "--yes")
    assert (dropped.code, dropped.json) == (0, {"dropped": 2})
    assert listed() == ids(quarantine, "plain", "cut", "other")


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [("y", 0, ["plain", "cut", "other"]), ("n", 1, ["plain", "cut", "untimed", "nameless", "other"])],
)
def test_a_person_is_asked(quarantine: dict[str, str], answer: str, code: int, left: list[str]) -> None:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        command = [sys.executable, "-m", "timeline", "quarantine", "drop", "--event-type", "thing.*"]
        asked = subprocess.run(
            [*command, "--because", BECAUSE],
            stdin=theirs,
            capture_output=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert (asked.returncode, b"Drop 2 messages?" in asked.stderr) == (code, True)
    assert asked.stdout.split() == ([b"{", b'"dropped":', b"2", b"}"] if code == 0 else [])
    assert (b"nothing was dropped" in asked.stderr) == (code == 1)
    assert listed() == ids(quarantine, *left)


@pytest.mark.parametrize(("options", "code"), [([], 2), (["--reason", "no-time", "0123"], 2), (["beef"], 4)])
def test_who_names_none_or_in_two_ways_drops_nothing(quarantine: dict[str, str], options: list[str], code: int) -> None:
    assert run("quarantine", "drop", *options, "--because", BECAUSE, "--yes").code == code
    assert listed() == set(quarantine.values())


@pytest.mark.parametrize("because", ["", " \n", "ä" * 513, "no text: \udcff"])
def test_a_reason_that_says_nothing_or_too_much_is_refused(quarantine: dict[str, str], because: str) -> None:
    refused = run("quarantine", "drop", quarantine["plain"], "--because", because)
    assert (refused.code, refused.out) == (2, "")
    assert "--because" in refused.err
    assert run("quarantine", "drop", quarantine["plain"]).code == 2
    assert listed() == set(quarantine.values())


def test_an_unknown_id_among_others_is_told_before_anything_is_done(quarantine: dict[str, str]) -> None:
    for command in (["drop", "--because", BECAUSE], ["retry"]):
        assert run("quarantine", *command, quarantine["plain"], "beef").code == 4
    assert listed() == set(quarantine.values())


# Amounts


def test_long_records_are_never_held_all_at_once_whatever_is_done(store: Path) -> None:
    long = b"x" * (4 * 1024 * 1024 - 10)
    Path("long.jsonl").write_bytes(b"".join(b"%d %b\n" % (number, long) for number in range(30)))
    assert run("ingest", "long.jsonl").json["quarantined"] == 30
    limit = "ulimit -v 300000"
    assert run_process("quarantine", "list", "--count", limit=limit).json["number"] == 30
    assert run_process("quarantine", "export", "-o", "out.jsonl", limit=limit).code == 0
    assert Path("out.jsonl").stat().st_size > 30 * len(long)
    named = [line["id"] for line in run("quarantine", "list").lines]
    assert run_process("quarantine", "retry", *named, limit=limit).json["quarantined"] == 30
    dropped = run_process("quarantine", "drop", "--reason", "not-json", "--because", "x", "--yes", limit=limit)
    assert dropped.json == {"dropped": 30}
