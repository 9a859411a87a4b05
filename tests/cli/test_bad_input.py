"""A message is stored unharmed or quarantined with its reason, whatever it holds; what stands around it is stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.messages import lines, thing, written
from tests.cli.running import Ran, run

BEFORE, AFTER = thing("create", "12:00", "before"), thing("create", "12:01", "after")


def message(**said: Any) -> dict[str, Any]:
    """A message of which the payload says something more."""
    return thing("update", "12:30", "between", **said)


def top(**said: Any) -> dict[str, Any]:
    """A message that says something else at its top; ``...`` leaves out what is there."""
    return {name: value for name, value in {**message(), **said}.items() if value is not ...}


def valued(spelling: bytes) -> bytes:
    """A message with a value that is spelled so."""
    return json.dumps(message(value="@")).encode().replace(b'"@"', spelling)


def between(middle: dict[str, Any] | bytes) -> Ran:
    """What comes of a message between two good ones, which are stored."""
    ran = run("ingest", written("messages.jsonl", BEFORE, middle, AFTER))
    assert {"before", "after"} <= {line["resource"]["id"] for line in run("resources").lines}
    return ran


# Stored unharmed

TEXTS = {
    "nul": "a\x00b\x00",
    "emoji": "🙂👩‍👩‍👧🏳️‍🌈",
    "combining": "e\u0301 and \u00e9",
    "right to left": "\u202eabc\u200f",
    "no characters": "\ufffe\uffff\U0010ffff",
    "lines": "\n\r\u2028\u2029\x85",
    "space": " \t\xa0\u3000",
    "quotes": "'\"\\`$(id)",
    "sql": "'; DROP TABLE event; --",
    "json": '{"f": 1}',
    "mask": "***",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_any_text_is_a_value_a_key_and_an_id(store: Path, text: str) -> None:
    odd = thing("create", "12:30", text, name=text, value={text: [text]}, region=text[:10])
    assert between(odd).code == 0
    shown = run("show", f"thing/{text}").json
    assert shown["resource"] == {"type": "thing", "id": text, "source": text[:10]}
    assert shown["fields"] == {"name": text, "value": {text: [text]}}
    assert text in [line["resource"]["id"] for line in run("resources", "--where", f"name={json.dumps(text)}").lines]
    assert text in [line["id"] for line in run("export", "events").lines]


@pytest.mark.parametrize(
    "key", ["__type__", "__value__", "$x", "$date", "a.b", "", "🙂", "\x00", "__proto__", "f", "v", "id"]
)
def test_any_key_is_a_key(store: Path, key: str) -> None:
    value = {key: {key: "decimal", "__value__": "x"}}
    assert between(message(value=value)).code == 0
    assert run("show", "between").json["fields"] == {"value": value}


@pytest.mark.parametrize(
    "number",
    [0, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400, -(10**4298), 0.1, 1e308, 5e-324, 1.0, 1e16, -1.5],
    ids=lambda number: f"{number!r:.20}",
)
def test_any_number_keeps_its_value_and_its_kind(store: Path, number: float) -> None:
    value = {"deep": [number, {"er": number}]}
    assert between(message(value=value)).code == 0
    assert json.dumps(run("show", "between").json["fields"]) == json.dumps({"value": value})


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("0001-01-01T00:00:00.000000", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("2026-03-01T12:00:00+14:00", "2026-02-28T22:00:00.000000Z"),
    ],
)
def test_any_time_of_the_years_1_to_9999_is_a_time(store: Path, time: str, at: str) -> None:
    assert between(top(timestamp=time)).code == 0
    assert run("history", "between").json[0]["start"] == at
    assert run("show", "between", "--at", at).json["existence"] == "present"


def test_an_empty_time_is_null(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIMELINE_DEFINITIONS")
    times = {"launched_at": "", "created_at": "None", "deleted_at": ""}
    instance = {"instance_id": "i1", "state": "building", **times}
    said = {"event_type": "compute.instance.exists", "timestamp": "2026-03-01 12:00:00", "payload": instance}
    ran = run("ingest", written("messages.jsonl", said))
    assert (ran.code, ran.json["unreadable_fields"]) == (0, 0)
    assert run("show", "i1").json["fields"] == {"created_at": None, "launched_at": None, "state": "building"}


@pytest.mark.parametrize(
    ("message_id", "kept"), [(..., None), (None, None), ("", ""), (7, "7"), ([1], None), ("é" * 256, "é" * 256)]
)
def test_a_message_id_is_evidence_only(store: Path, message_id: object, kept: str | None) -> None:
    assert between(top(message_id=message_id, payload={"id": "between", "size": 1})).code == 0
    assert run("explain", "between", "size").json["set_by"]["message_id"] == kept


def test_of_a_doubled_key_the_last_value_stands(store: Path) -> None:
    assert between(valued(b'1, "value": 2')).code == 0
    assert run("show", "between").json["fields"] == {"value": 2}


def test_a_message_may_be_nested_up_to_the_limit(store: Path) -> None:
    assert between(valued(b"[" * 62 + b"]" * 62)).code == 0
    value = run("show", "between").json["fields"]["value"]
    assert json.dumps(value) == "[" * 62 + "]" * 62


def test_an_id_and_a_source_may_be_as_long_as_the_limit(store: Path) -> None:
    assert between(thing("create", "12:30", "é" * 256, region="é" * 32)).code == 0
    assert run("show", "é" * 256, "--source", "é" * 32).code == 0


@pytest.mark.parametrize(
    "wrapped",
    [
        {"oslo.version": "2.0", "oslo.message": json.dumps(message(size=1))},
        json.dumps(json.dumps(message(size=1))).encode(),
        {**top(timestamp=..., message_id=...), "metadata": {"timestamp": "2026-03-01 12:30:00", "message_id": "m"}},
    ],
    ids=["oslo", "twice", "endpoint"],
)
def test_any_envelope_is_opened(store: Path, wrapped: dict[str, Any] | bytes) -> None:
    assert between(wrapped).code == 0
    assert run("show", "between").json["since"] == "2026-03-01T12:30:00.000000Z"


# Quarantined

WHOLE = json.dumps(message()).encode()
UNREADABLE: dict[str, list[dict[str, Any] | bytes]] = {
    "not-json": [
        *(b"plain", b"{", b'{"a":}', b"{'a': 1}", WHOLE[:-1], WHOLE + b" x", WHOLE * 2, b"//", b"\x00", b"<xml/>"),
        *(valued(text) for text in (b'"a\x00b"', b'"a\tb"', b"01", b".5", b"+1", b"0x1", b"True", b"[1,]")),
        *(valued(text) for text in (b"NaN", b"Infinity", b"-Infinity")),
        *(valued(text) for text in (rb'"\ud800"', rb'"\udc00\ud800"', rb'{"\ud83d": 1}', rb'"\x41"')),
        {"oslo.version": "2.0", "oslo.message": "{"},
    ],
    "number-too-large": [valued(text) for text in (b"1e400", b"[-1e400]", b"9" * 5_000)],
    "not-utf8": [
        *(valued(text) for text in (b'"\xe9"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'"\xf5\x80\x80\x80"', b'"\xe2\x82"')),
        b"\xff\xfe" + WHOLE.decode().encode("utf-16-le").replace(b"\n", b""),
    ],
    "too-deep": [
        *(valued(b"[" * depth + b"]" * depth) for depth in (63, 1_000, 100_000)),
        valued(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        {"oslo.version": "2.0", "oslo.message": "[" * 100_000},
    ],
    "not-a-notification": [b"1", b"null", b"true", b"[]", b"[{}]", b'"1"'],
    "unknown-envelope": [
        {"oslo.version": "3.0", "oslo.message": WHOLE.decode()},
        {"oslo.version": "2.0"},
        {"oslo.message": WHOLE.decode()},
        {"oslo.version": "2.0", "oslo.message": [1]},
    ],
    "no-event-type": [b"{}", *(top(event_type=kind) for kind in (..., None, "", 1, [], {"a": 1}))],
    "no-time": [top(timestamp=time) for time in (..., None, "", "None")],
    "unreadable-time": [
        top(timestamp=time)
        for time in (
            "yesterday",
            0,
            1772366400,
            1.5,
            True,
            [],
            {},
            "0000-01-01",
            "10000-01-01",
            "2026-02-30",
            "٢٠٢٦-03-01",
        )
    ],
    "payload-not-a-map": [top(payload=payload) for payload in (..., None, [], [{"id": "x"}], "text", "", 1, True)],
    "no-resource-id": [top(payload=payload) for payload in ({}, {"id": None}, {"id": ""}, {"uuid": "x"})],
    "unreadable-resource-id": [
        *(top(payload={"id": id}) for id in ([], ["x"], {}, {"id": "x"}, True, 1.5)),
        *(message(region=region) for region in ([1], {}, True)),
    ],
    "id-too-long": [thing("create", "12:30", "x" * 513), thing("create", "12:30", "é" * 257), message(region="r" * 65)],
    "event-type-too-long": [top(event_type=f"thing.{'x' * 507}")],
    "message-id-too-long": [top(message_id="é" * 257)],
    "body-too-long": [message(value="x" * 1024 * 1024), message(value={"x" * 1_100_000: 1})],
}
CASES = [
    pytest.param(reason, middle, id=f"{reason}-{number}")
    for reason, middles in UNREADABLE.items()
    for number, middle in enumerate(middles, 1)
]


@pytest.mark.parametrize(("reason", "middle"), CASES)
def test_what_cannot_be_read_is_quarantined_with_its_reason_and_bytes(
    store: Path, reason: str, middle: dict[str, Any] | bytes
) -> None:
    ran = between(middle)
    assert (ran.code, len(ran.sentences)) == (3, 1)
    assert [ran.json[name] for name in ("notifications", "in_scope", "out_of_scope", "quarantined")] == [3, 2, 0, 1]
    (record,) = run("quarantine", "list").lines
    assert (record["reason"], record["origin"]) == (reason, "messages.jsonl:2")
    whole = lines(middle).strip()
    shown = run("quarantine", "show", record["id"]).json
    assert shown["size"] == len(whole)
    assert shown["message"] == whole.decode(errors="backslashreplace")
    assert 0 < len(shown["detail"]) < 200
    assert run("quarantine", "retry").json["quarantined"] == 1


@pytest.mark.parametrize("kind", ["elsewhere", "THING", " thing", "🙂"])
def test_what_no_definition_is_for_is_out_of_scope_however_odd_it_is(store: Path, kind: str) -> None:
    ran = between(top(event_type=f"{kind}.create", timestamp="yesterday", payload=[1]))
    assert (ran.code, ran.json["out_of_scope"], ran.json["in_scope"]) == (0, 1, 2)
    assert run("status").json["quarantined"] == {}


def test_a_thousand_kinds_of_noise_are_a_thousand_records(store: Path) -> None:
    noise = [f"noise {number}".encode() for number in range(1_000)]
    ran = run("ingest", "--batch", "100", written("messages.jsonl", BEFORE, *noise, AFTER))
    assert (ran.json["in_scope"], ran.json["quarantined"]) == (2, 1_000)
    records = run("quarantine", "list").lines
    assert len({record["id"] for record in records}) == 1_000
    assert run("status").json["quarantined"] == {"not-json": 1_000}
