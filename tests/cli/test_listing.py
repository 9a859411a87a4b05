"""Which resources are listed: those of a value, and those of an existence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.messages import thing, written
from tests.cli.running import run

AT = ("--at", "2026-03-01T13:00")


VALUES = {
    "one": 1,
    "one point": 1.0,
    "text one": "1",
    "yes": True,
    "no": False,
    "null": None,
    "text null": "null",
    "empty": "",
    "quoted": '"',
    "text": "a=b",
    "big": 2**70,
    "tenth": 0.1,
    "exponent": 1e300,
    "wide": "計算",
    "list": [1],
}


@pytest.fixture
def values(store: Path) -> None:
    messages = (thing("create", "12:00", name, value=value) for name, value in VALUES.items())
    run("ingest", written("messages.jsonl", *messages, thing("create", "12:00", "absent")))


@pytest.mark.usefixtures("values")
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("1", "one"),
        ("1.0", "one point"),
        ("1e0", "one point"),
        ('"1"', "text one"),
        ("true", "yes"),
        ("false", "no"),
        ("null", "null"),
        ('"null"', "text null"),
        ('"true"', None),
        ("True", None),
        ("", "empty"),
        ('""', "empty"),
        ('"', "quoted"),
        (r'"\""', "quoted"),
        ("a=b", "text"),
        ('"a=b"', "text"),
        (str(2**70), "big"),
        ("0.1", "tenth"),
        ("1E+300", "exponent"),
        ("計算", "wide"),
        (r'"\u8a08\u7b97"', "wide"),
        ("[1]", None),
        ("01", None),
        (" 1", None),
        ('"a"b"', None),
        (r'"\x"', None),
        (r'"\ud800"', None),
        ("1e999", None),
        ("9" * 5_000, None),
        ("NaN", None),
    ],
)
def test_a_value_is_json_where_it_is_a_number_a_word_or_quoted_and_else_text(said: str, found: str | None) -> None:
    ran = run("resources", "--where", f"value={said}")
    assert ran.code == 0
    assert [line["resource"]["id"] for line in ran.lines] == ([] if found is None else [found])


@pytest.mark.usefixtures("history")
def test_all_conditions_hold() -> None:
    def listed(*conditions: str) -> list[str]:
        return [line["resource"]["id"] for line in run("resources", "--at", "2026-03-01T12:40", *conditions).lines]

    assert listed() == listed("--type", "thing") == ["t1", "t2"]
    assert listed("--where", "name=one") == listed("--where", "name=one", "--where", "size=2") == ["t1"]
    assert listed("--where", "name=one", "--where", "size=1") == listed("--type", "other") == []


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (["name"], "'name' is not FIELD=VALUE"),
        (["=x"], "'=x' is not FIELD=VALUE"),
        ([""], "'' is not FIELD=VALUE"),
        (["name=\udcff"], r"'name=\udcff' is not FIELD=VALUE"),
        (["name=a", "name=b"], "'name' cannot have two values"),
    ],
)
def test_what_is_no_condition_is_wrong_usage(said: list[str], wrong: str) -> None:
    ran = run("resources", *(word for each in said for word in ("--where", each)))
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentences[-1] == f"Error: Invalid value for '--where': {wrong}"


# Existence


def test_existence_chooses_among_the_three_answers(store: Path) -> None:
    messages = (
        thing("create", "12:00", "here"),
        thing("create", "12:00", "gone"),
        thing("delete", "12:30", "gone"),
        thing("create", "14:00", "later"),
    )
    run("ingest", written("messages.jsonl", *messages))

    def listed(*options: str) -> list[tuple[str, str]]:
        return [(line["resource"]["id"], line["existence"]) for line in run("resources", *AT, *options).lines]

    everything = [("gone", "deleted"), ("here", "present"), ("later", "unknown")]
    assert listed() == [("here", "present")]
    assert listed("--existence", "any") == everything
    for each in everything:
        assert listed("--existence", each[1]) == [each]
    assert run("resources", "--existence", "gone").code == 2
