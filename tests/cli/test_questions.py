"""What a person may ask: which resource, at which instant, of which value; and what is said where it cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.messages import clock, thing, written
from tests.cli.running import Ran, run

AT = ("--at", "2026-03-01T13:00")


@pytest.fixture
def things(store: Path) -> None:
    """Ids that meet: in two types, in two sources, and with slashes within."""
    messages = (
        thing("create", "12:00", "alone", name="mail-1"),
        thing("create", "12:00", "shared", name="shared"),
        thing("create", "12:00", "shared", kind="other", name="shared"),
        thing("create", "12:00", "twin", region="east", name="first"),
        thing("create", "12:00", "twin", region="west", name="second"),
        thing("create", "12:00", "a/b/c", name="slashes"),
        thing("create", "12:00", "volume/x", name="no type of ours"),
        thing("create", "12:00", "thing/x", name="type within"),
        thing("create", "12:00", "x", kind="other", name="other x"),
        thing("create", "12:00", "12345678-aaaa", name="web-front"),
        thing("create", "12:00", " Blank ", name=""),
    )
    assert run("ingest", written("messages.jsonl", *messages)).code == 0


# RESOURCE


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("thing/alone", "mail-1"),
        ("alone", "mail-1"),
        ("thing/shared", "shared"),
        ("thing/a/b/c", "slashes"),
        ("a/b/c", "slashes"),
        ("volume/x", "no type of ours"),
        ("thing/volume/x", "no type of ours"),
        ("thing/thing/x", "type within"),
        ("x", "other x"),
        ("thing/ Blank ", ""),
        (" Blank ", ""),
    ],
)
def test_a_resource_is_named_by_type_and_id_or_by_id_alone(said: str, name: str) -> None:
    assert run("show", said, *AT).json["fields"]["name"] == name


@pytest.mark.usefixtures("things")
def test_an_id_is_no_other_that_looks_alike() -> None:
    for said in ("thing/Alone", "thing/alone ", "thing/Blank", "Thing/alone", "thing/", "/alone", "thing//alone"):
        assert run("show", said).code == 4, said


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(
    ("said", "candidates"),
    [
        ("shared", ["other/shared", "thing/shared"]),
        ("thing/twin", ["thing/twin --source east", "thing/twin --source west"]),
        ("twin", ["thing/twin --source east", "thing/twin --source west"]),
    ],
)
def test_of_an_id_that_several_have_the_candidates_are_listed(said: str, candidates: list[str]) -> None:
    ran = run("show", said)
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentences == [
        f"timeline: {said!r} is the id of several resources",
        *(f"  {each}" for each in candidates),
    ]
    for candidate in candidates:
        assert run("show", *candidate.split()).code == 0


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(("source", "name"), [("east", "first"), ("west", "second")])
@pytest.mark.parametrize("said", ["twin", "thing/twin"])
def test_the_source_tells_where_ids_meet(said: str, source: str, name: str) -> None:
    shown = run("show", said, "--source", source, *AT).json
    assert (shown["resource"]["source"], shown["fields"]["name"]) == (source, name)


@pytest.mark.usefixtures("things")
def test_the_empty_source_is_a_source_and_an_unknown_one_has_nothing() -> None:
    assert run("show", "alone", "--source", "").code == 0
    assert run("show", "twin", "--source", "").code == 4
    ran = run("show", "alone", "--source", "north")
    assert ran.code == 4
    assert ran.sentences[0].startswith("timeline: no event speaks of 'alone' in the source 'north'")
    assert [line["resource"]["id"] for line in run("resources", "--source", "east").lines] == ["twin"]


# Unknown ids


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(
    ("said", "near"),
    [
        ("thing/alonee", "thing/alone"),
        ("alonee", "thing/alone"),
        ("other/alone", "thing/alone"),
        ("ALONE", "thing/alone"),
        ("12345678", "thing/12345678-aaaa"),
        ("mail-1", "thing/alone (named mail-1)"),
        ("thing/mail-1", "thing/alone (named mail-1)"),
        ("MAIL-1", "thing/alone (named mail-1)"),
        ("web-frnt", "thing/12345678-aaaa (named web-front)"),
        ("unknown/web-front", "thing/12345678-aaaa (named web-front)"),
    ],
)
@pytest.mark.parametrize("command", ["show", "history"])
def test_an_unknown_id_brings_near_ones_by_id_and_by_name(command: str, said: str, near: str) -> None:
    ran = run(command, said)
    assert (ran.code, ran.out) == (4, "")
    assert ran.sentences[:2] == [f"timeline: no event speaks of {said!r}", "  near ones:"]
    assert f"  {near}" in ran.sentences[2:]


@pytest.mark.usefixtures("things")
def test_all_that_bear_an_id_in_another_type_are_near() -> None:
    near = run("show", "unknown/shared").sentences[2:]
    assert {"  other/shared (named shared)", "  thing/shared (named shared)"} <= set(near) or {
        "  other/shared",
        "  thing/shared",
    } <= set(near)


def test_a_name_that_a_thing_had_or_that_is_gone_brings_it_to_mind(store: Path) -> None:
    messages = (
        thing("create", "12:00", "id-1", name="old name"),
        thing("update", "12:30", "id-1", name="new name"),
        thing("delete", "13:00", "id-1"),
    )
    run("ingest", written("messages.jsonl", *messages))
    assert run("show", "new name").sentences[2] == "  thing/id-1 (named new name)"
    assert run("show", "old name").sentences[2] == "  thing/id-1 (once named old name)"


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("command", ["show", "history", "diff --from -1d", "explain"])
def test_without_a_near_one_the_command_that_lists_all_is_named(command: str) -> None:
    name, *options = command.split()
    ran = run(name, "0000", *(["size"] if name == "explain" else []), *options)
    way = "`timeline resources --existence any` lists what is in the store"
    assert ran == Ran(4, "", f"timeline: no event speaks of '0000'; {way}\n")


def test_in_an_empty_store_nothing_is_near(store: Path) -> None:
    assert run("show", "").code == run("show", "thing/x").code == 4


# Instants


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-03-01T12:30:00Z", "2026-03-01T12:30:00.000000Z"),
        ("2026-03-01T12:30:00", "2026-03-01T12:30:00.000000Z"),
        ("2026-03-01 12:30:00.5", "2026-03-01T12:30:00.500000Z"),
        ("2026-03-01T12:30:00+02:00", "2026-03-01T10:30:00.000000Z"),
        ("2026-03-01T12:30", "2026-03-01T12:30:00.000000Z"),
        ("2026-03-01", "2026-03-01T00:00:00.000000Z"),
        ("2026-03-01T12:30:00.1234569Z", "2026-03-01T12:30:00.123456Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_is_iso_8601_and_utc_without_a_zone(said: str, meant: str) -> None:
    assert run("show", "alone", "--at", said).json["at"] == meant


@pytest.mark.usefixtures("things")
def test_now_and_spans_are_instants() -> None:
    spans = ("-300w", "-30d", "-2w", "-2h", "-60m", "-1s", "now")
    ats = [run("show", "alone", "--at", span).json["at"] for span in spans]
    assert ats == sorted(ats)
    assert run("show", "alone").json["at"] > ats[-1]


def refused(command: str, said: str) -> None:
    ran = run(*command.split(), said)
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentences[-1].startswith(f"Error: Invalid value for '{command.split()[-1]}': {said!r}")


@pytest.mark.parametrize(
    "said", ["", "garbage", "yesterday", "2h", "-2", "-2x", "- 2h", "12:30", "2026-13-01", "2026-02-30", "1772366400"]
)
def test_what_is_no_instant_is_wrong_usage(folder: Path, said: str) -> None:
    refused("show alone --at", said)


@pytest.mark.parametrize(
    "command",
    [
        "history alone --from",
        "history alone --to",
        "diff alone --from",
        "diff alone --from now --to",
        "explain alone name --at",
        "resources --at",
        *(f"{question} --as-known-at" for question in ("show x", "history x", "diff x", "explain x y", "resources")),
        "export events --as-known-at",
    ],
)
def test_so_it_is_with_every_question(folder: Path, command: str) -> None:
    refused(command, "garbage")


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize("said", ["0000-12-31", "-999999999d", "10000-01-01"])
def test_what_is_outside_the_years_is_wrong_usage(said: str) -> None:
    assert run("show", "alone", "--at", said).code == 2


@pytest.mark.usefixtures("things")
@pytest.mark.parametrize(("start", "end"), [("2026-03-02", "2026-03-01"), ("2026-03-01", "2026-03-01"), ("now", "-2h")])
def test_a_range_that_does_not_begin_before_its_end_is_wrong_usage(start: str, end: str) -> None:
    ran = run("history", "alone", "--from", start, "--to", end)
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentences[-1] == "Error: --from is not before --to: a range is [from, to)"


@pytest.mark.usefixtures("things")
def test_a_diff_may_look_back() -> None:
    looked = run("diff", "alone", "--from", "2026-03-02", "--to", "2026-03-01").json
    assert looked["existence"] == ["present", "unknown"]
    assert run("diff", "alone", "--from", "2026-03-02", "--to", "2026-03-02").json["existence"] == [
        "present",
        "present",
    ]


def test_an_instant_equal_to_a_change_sees_the_new_state(store: Path) -> None:
    run("ingest", written("m.jsonl", thing("create", "12:00", size=1), thing("update", "12:30", size=2)))
    sizes = [
        run("show", "t1", "--at", f"2026-03-01T{at}").json["fields"].get("size")
        for at in ("11:59:59.999999", "12:00", "12:29:59.999999", "12:30")
    ]
    assert sizes == [None, 1, 1, 2]


# As known at


@pytest.fixture
def late(store: Path) -> str:
    """Between the two messages of a thing: when the second, of an earlier time, was not known yet."""
    run("ingest", written("first.jsonl", thing("create", "12:00", size=1), thing("update", "13:00", name="x")))
    first = run("export", "events", "--provenance").lines
    run("ingest", written("late.jsonl", thing("update", "12:30", size=2), thing("create", "12:00", "t2")))
    recorded = sorted({line["recorded_at"] for line in run("export", "events", "--provenance").lines})
    assert recorded[0] == first[0]["recorded_at"]
    return recorded[-1]


def test_every_question_can_be_asked_as_of_what_was_known(late: str) -> None:
    known = ("--as-known-at", late)
    assert run("show", "t1").json["fields"] == {"name": "x", "size": 2}
    shown = run("show", "t1", *known).json
    assert (shown["fields"], shown["as_known_at"]) == ({"name": "x", "size": 1}, late)
    assert [each["fields"]["size"] for each in run("history", "t1", *known).json] == [1, 1]
    asked = ("--from", "2026-03-01T12:00", "--to", "2026-03-01T12:45")
    assert run("diff", "t1", *asked).json["changed"] == {"size": [1, 2]}
    assert run("diff", "t1", *asked, *known).json["changed"] == {}
    assert run("explain", "t1", "size", *known).json["set_by"]["occurred_at"] == clock("12:00")
    assert [line["fields"].get("size") for line in run("resources", *known).lines] == [1]
    assert len(run("export", "events", *known).lines) == 2
    assert len(run("export", "events").lines) == 4


def test_what_was_not_known_at_all_is_unknown(late: str) -> None:
    known = ("--as-known-at", "2020-01-01")
    assert run("show", "t1", *known).json["existence"] == "unknown"
    assert run("history", "t1", *known).json == []
    assert run("explain", "t1", "size", *known).json["set_by"] is None
    assert run("resources", "--existence", "any", *known).lines == []
    assert run("export", "events", *known) == Ran(0, "", "")
    spanned = run("history", "t1", *known, "--from", "2026-03-01", "--to", "2026-03-02").json
    assert [(each["existence"], each["start"]) for each in spanned] == [("unknown", clock("00:00"))]


def test_what_is_not_known_yet_is_not_listed_as_unknown(late: str) -> None:
    asked = ("resources", "--existence", "any", "--at", "2026-03-01")
    assert [line["resource"]["id"] for line in run(*asked).lines] == ["t1", "t2"]
    assert [line["resource"]["id"] for line in run(*asked, "--as-known-at", late).lines] == ["t1"]
