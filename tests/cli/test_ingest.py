"""Messages in: from every kind of source, each stored, out of scope or quarantined, and none of them lost."""

from __future__ import annotations

import gzip
import json
import signal
from pathlib import Path

import pytest

from tests.cli.messages import DEFINITIONS, lines, thing, written
from tests.cli.running import Ran, run, run_on_screen, run_process, started

FIRST, SECOND, THIRD = (thing("create", f"12:0{number}", f"t{number}") for number in (1, 2, 3))


def ids() -> list[str]:
    return [line["resource"]["id"] for line in run("resources").lines]


def counted(ran: Ran) -> tuple[int, ...]:
    """Notifications, in scope, out of scope and quarantined; the first is the sum of the others."""
    whole, *parts = (ran.json[name] for name in ("notifications", "in_scope", "out_of_scope", "quarantined"))
    assert whole == sum(parts)
    return (whole, *parts)


# Sources


@pytest.mark.parametrize(
    "content",
    [
        lines(FIRST, SECOND, THIRD),
        lines(FIRST, SECOND, THIRD).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf\n\n" + lines(FIRST, SECOND, THIRD).replace(b"\n", b"\n \n"),
        lines(FIRST, SECOND, THIRD).removesuffix(b"\n"),
        json.dumps([FIRST, SECOND, THIRD]).encode(),
        json.dumps([FIRST, SECOND, THIRD], indent=2).encode(),
        b"\n".join(json.dumps(each, indent=4).encode() for each in (FIRST, SECOND, THIRD)),
        gzip.compress(lines(FIRST, SECOND, THIRD)),
        gzip.compress(lines(FIRST, SECOND)) + gzip.compress(lines(THIRD)),
        gzip.compress(json.dumps([FIRST, SECOND, THIRD]).encode()),
    ],
    ids=["lines", "CRLF", "BOM", "no end", "array", "indented", "objects", "gzip", "two members", "array in gzip"],
)
@pytest.mark.parametrize("source", ["file", "-"])
def test_the_content_tells_how_messages_are_written(store: Path, content: bytes, source: str) -> None:
    Path("file").write_bytes(content)
    ran = run("ingest", source, stdin=content)
    assert (ran.code, ran.err, counted(ran)) == (0, "", (3, 3, 0, 0))
    assert ids() == ["t1", "t2", "t3"]


def test_several_files_and_folders_are_one_ingest(store: Path) -> None:
    Path("folder/deeper").mkdir(parents=True)
    written("folder/deeper/b.jsonl", FIRST)
    written("folder/.hidden", b"no JSON")
    Path("folder/a.gz").write_bytes(gzip.compress(lines(SECOND)))
    ran = run("ingest", "folder", written("single.jsonl", THIRD), "-", stdin=lines(FIRST))
    assert counted(ran) == (4, 4, 0, 0)
    assert ran.json["duplicates"] == 1
    assert ids() == ["t1", "t2", "t3"]


def test_nothing_to_read_is_nothing_done(store: Path) -> None:
    for content in (b"", b"\n\n", b"[]", gzip.compress(b"")):
        ran = run("ingest", "-", stdin=content)
        assert (ran.code, ran.err, set(ran.json.values())) == (0, "", {0})


def test_a_pipe_is_read_as_it_comes(store: Path) -> None:
    ran = run_process("ingest", "-", stdin=lines(FIRST, SECOND))
    assert (ran.code, ran.err, counted(ran)) == (0, "", (2, 2, 0, 0))


@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
def test_batches_do_not_matter(store: Path, batch: int) -> None:
    messages = (FIRST, b"no JSON", SECOND, FIRST, thing("x", "12:00", kind="elsewhere"), THIRD)
    ran = run("ingest", "--batch", batch, written("messages.jsonl", *messages))
    expected = {"in_scope": 4, "out_of_scope": 1, "quarantined": 1, "events": 3, "duplicates": 1, "bodies": 1}
    assert {name: ran.json[name] for name in expected} == expected


def test_twice_stores_nothing_new(store: Path) -> None:
    path = written("messages.jsonl", FIRST, b"no JSON", SECOND, thing("delete", "13:00", "t1"))
    first = run("ingest", path).json
    dump, record = run("export", "events", "--provenance").out, run("quarantine", "list").out
    again = run("ingest", path)
    assert again.json == first | {"events": 0, "bodies": 0, "duplicates": 3}
    assert again.code == 3
    assert (run("export", "events", "--provenance").out, run("quarantine", "list").out) == (dump, record)


def test_the_counts_of_what_could_not_be_read_are_told_with_the_place(store: Path) -> None:
    ran = run_process(
        "ingest", "-", stdin=lines(thing("create", "12:00", size="large"), thing("create", "12:01", size=[]))
    )
    assert (ran.code, ran.json["unreadable_fields"], ran.json["in_scope"]) == (0, 2, 2)
    assert ran.sentences == [
        "timeline: things.yaml:1: the field 'size' is left out where it cannot be read: 'large' is no whole number"
    ]


def test_a_person_who_looks_sees_how_far_it_is(store: Path) -> None:
    path = written("messages.jsonl", FIRST, SECOND, THIRD)
    seen = run_on_screen("ingest", path, "--batch", 1, alone=False)
    assert "3 notifications, 0 quarantined" in seen
    bar, _, table = seen.rpartition("\x1b[2K")  # the bar is wiped away
    assert "100%" in bar
    assert "notifications" in table
    assert "%" not in table


def test_what_was_stored_before_an_interruption_is_counted(store: Path) -> None:
    with started("ingest", "-", "--batch", 1) as process:
        assert process.stdin is not None
        process.stdin.write(lines(*[FIRST, SECOND, THIRD] * 1_000))  # more than a pipe holds
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    counts = json.loads(out)
    assert process.returncode == 1
    assert err.decode().strip() == "timeline: interrupted; what was stored before stays stored"
    assert 0 < counts["notifications"] == counts["in_scope"] <= 3_000
    assert counts["events"] == run("status").json["events"] == 3


# Quarantine


def test_what_the_definitions_lack_is_read_when_they_were_mended(store: Path) -> None:
    Path("lacking.yaml").write_text(DEFINITIONS.replace("payload.id, source", "payload.uuid, source"))
    path = written("messages.jsonl", FIRST, SECOND, b"no JSON", thing("create", "12:00", "o", kind="other"))
    assert counted(run("ingest", path, "--definitions", "lacking.yaml")) == (4, 1, 0, 3)
    assert run("quarantine", "retry", "--definitions", "lacking.yaml").json["quarantined"] == 3

    retried = run("quarantine", "retry")
    assert retried.code == 3
    expected = {"notifications": 3, "in_scope": 2, "out_of_scope": 0, "quarantined": 1}
    assert retried.json == expected | {"events": 2, "bodies": 1, "duplicates": 0, "unreadable_fields": 0}
    assert ids() == ["o", "t1", "t2"]
    (left,) = run("quarantine", "list").lines
    assert left["reason"] == "not-json"
    assert run("status").json["quarantined"] == {"not-json": 1}
    again = run("quarantine", "retry").json
    assert (again["notifications"], again["events"]) == (1, 0)


def test_a_dump_does_not_tell_whether_a_message_was_quarantined_for_a_while(store: Path, fresh_store: Path) -> None:
    Path("lacking.yaml").write_text(DEFINITIONS.replace("payload.id, source", "payload.uuid, source"))
    path = written("messages.jsonl", FIRST, SECOND, thing("update", "12:30", size=3), thing("delete", "13:00", "t1"))
    run("ingest", path, "--definitions", "lacking.yaml")
    assert run("quarantine", "retry").code == 0
    detoured = run("export", "events").out
    store.write_bytes(fresh_store.read_bytes())
    run("ingest", path)
    assert run("export", "events").out == detoured


def test_a_message_can_be_shown_and_retried_by_the_beginning_of_its_id(store: Path) -> None:
    Path("lacking.yaml").write_text(DEFINITIONS.replace("payload.id, source", "payload.uuid, source"))
    path = written("messages.jsonl", FIRST, SECOND)
    run("ingest", path, "--definitions", "lacking.yaml")
    first, second = run("quarantine", "list").lines
    shown = run("quarantine", "show", first["id"][:12]).json
    assert list(shown) == [*first, "detail", "place", "outcome", "settled_at", "note", "message"]
    assert (shown["outcome"], json.loads(shown["message"]) in (FIRST, SECOND)) == (None, True)
    assert run("quarantine", "retry", first["id"][:12]).json["in_scope"] == 1
    assert [line["id"] for line in run("quarantine", "list").lines] == [second["id"]]
    settled = run("quarantine", "show", first["id"]).json
    assert (settled["outcome"], settled["settled_at"] is None) == ("stored", False)


def test_what_is_out_of_scope_now_is_settled_too(store: Path) -> None:
    run("ingest", written("messages.jsonl", thing("create", None)))
    Path("without.yaml").write_text(DEFINITIONS.replace("event_type: thing", "event_type: nothing"))
    retried = run("quarantine", "retry", "--definitions", "without.yaml")
    assert (retried.code, counted(retried)) == (0, (1, 0, 1, 0))
    assert run("quarantine", "list").out == ""


@pytest.mark.parametrize("command", ["show", "retry"])
def test_an_id_of_no_record_is_told(store: Path, command: str) -> None:
    assert run("quarantine", command, "abc") == Ran(4, "", "timeline: no quarantine record begins with 'abc'\n")


def test_the_way_to_the_quarantine_is_told_with_its_store(folder: Path) -> None:
    run("init", "--store", "sqlite:///my store.db")
    ran = run("ingest", "--store", "sqlite:///my store.db", "-", stdin=b"no JSON")
    way = "timeline quarantine list --store 'sqlite:///my store.db'"
    assert ran.sentences == [f"timeline: 1 quarantined; `{way}` names them"]


# Secrets

CANARY = "CANARYcanary0123456789"


@pytest.mark.parametrize(
    "message",
    [
        thing("create", "12:00", adminPass=CANARY) | {"_context_auth_token": CANARY},
        thing("create", None, adminPass=CANARY, user_data=[CANARY]) | {"_context_auth_token": CANARY},
        thing("create", None) | {"ctxt": {"auth_token": CANARY, "service_catalog": [{"x": CANARY}]}},
        thing("create", "12:00", None, deeper=[{"password": {"x": [CANARY]}}]),
        thing("create", None) | {"timestamp": {"auth_token": CANARY}},
        thing("create", None) | {"event_type": {"secret": CANARY}},
        {"oslo.version": {"password": CANARY}, "oslo.message": "{}"},
        {"oslo.version": "2.0", "oslo.message": json.dumps(thing("create", None) | {"_context_auth_token": CANARY})},
        json.dumps(json.dumps(thing("create", None, password=CANARY))).encode(),
        b'{"auth_token": "' + CANARY.encode(),
        b'{"event_type": "thing.create", "\\u0061uth_token": "' + CANARY.encode() + b'", }',
        b"{'auth_token': '" + CANARY.encode() + b"'}",
        b'{"auth_token":\xff"' + CANARY.encode() + b'"}',
        b'{"auth_token": "' + CANARY.encode() * 200_000 + b'"}',
        b'{"x": "' + b"x" * 65_500 + b'", "password": "' + CANARY.encode() * 200_000 + b'"}',
    ],
)
def test_a_secret_comes_neither_to_the_disk_nor_into_an_answer(store: Path, message: dict[str, object] | bytes) -> None:
    path = written("messages.jsonl", message)
    said = [run("ingest", path), run("quarantine", "list"), run("export", "events", "--provenance")]
    records = [line["id"] for line in said[1].lines]
    said += [run("quarantine", "show", id, "--format", form) for id in records for form in ("json", "table")]
    said += [run("quarantine", "retry"), run("definitions", "try", path), run("status")]
    assert [ran.out + ran.err for ran in said if CANARY[:8] in ran.out + ran.err] == []
    held = b"".join(part.read_bytes() for part in store.parent.glob("timeline.db*"))
    assert CANARY[:8].encode() not in held


def test_a_masked_value_becomes_no_field_and_no_id(store: Path) -> None:
    Path("secret.yaml").write_text(
        "- event_type: thing.*\n  resource: {type: thing, id: [payload.credential_id, payload.id]}\n"
        "  traits: {secret: payload.secret}\n"
    )
    messages = (thing("create", None, None, credential_id=CANARY), thing("create", None, secret=CANARY))
    run("ingest", written("messages.jsonl", *messages), "--definitions", "secret.yaml")
    Path("timed.yaml").write_text(Path("secret.yaml").read_text() + "  occurred_at: payload.at\n")
    timed = [message | {"payload": message["payload"] | {"at": "2026-03-01", "id": "t1"}} for message in messages]
    run("ingest", written("messages.jsonl", *timed), "--definitions", "secret.yaml")
    retried = run("quarantine", "retry", "--definitions", "timed.yaml")
    assert (retried.code, retried.json["in_scope"]) == (3, 0)
    assert run("resources", "--existence", "any").lines == []


# A message that is too long


def test_a_message_at_the_limit_is_read_and_one_byte_more_is_not(store: Path) -> None:
    short = len(json.dumps(thing("create", "12:00", pad="")))
    limit = 4 * 1024 * 1024
    fits = thing("create", "12:00", pad="x" * (limit - short))
    beyond = thing("create", "12:00", pad="x" * (limit - short + 1))
    assert counted(run("ingest", written("fits.jsonl", FIRST, fits, SECOND))) == (3, 3, 0, 0)
    assert counted(run("ingest", written("beyond.jsonl", FIRST, beyond, THIRD))) == (3, 2, 0, 1)
    assert ids() == ["t1", "t2", "t3"]
    (record,) = run("quarantine", "list").lines
    assert (record["reason"], record["size"], record["origin"]) == (
        "notification-too-long",
        limit + 1,
        "beyond.jsonl:2",
    )
    assert len(run("quarantine", "show", record["id"]).json["message"]) == 64 * 1024
    assert [line.get("reason") for line in run("definitions", "try", "beyond.jsonl").json] == [
        None,
        record["reason"],
        None,
    ]
    assert run("quarantine", "retry").json["quarantined"] == 1


def test_a_line_of_200_megabytes_is_never_held_whole(store: Path) -> None:
    with Path("long.jsonl").open("wb") as file:
        file.write(lines(FIRST))
        file.write(b'{"event_type": "thing.create", "_context_auth_token": "')
        file.seek(200 * 1024 * 1024, 1)  # a hole: NUL, and no room on the disk
        file.write(b'"}\n' + lines(SECOND))
    ran = run_process("ingest", "long.jsonl", limit="ulimit -v 400000")
    assert (ran.code, counted(ran)) == (3, (3, 2, 0, 1))
    assert ids() == ["t1", "t2"]
    (record,) = run("quarantine", "list").lines
    assert (record["reason"], record["origin"]) == ("notification-too-long", "long.jsonl:2")
    assert record["size"] > 200 * 1024 * 1024
    assert store.stat().st_size < 1024 * 1024


def test_long_records_are_never_held_all_at_once(store: Path) -> None:
    long = b"x" * (4 * 1024 * 1024 - 10)
    Path("long.jsonl").write_bytes(b"".join(b"%d %b\n" % (number, long) for number in range(30)))
    assert run("ingest", "long.jsonl").json["quarantined"] == 30
    listed = run_process("quarantine", "list", limit="ulimit -v 300000")
    assert (listed.code, len(listed.lines), listed.err) == (0, 30, "")
    assert run_process("quarantine", "retry", limit="ulimit -v 300000").json["quarantined"] == 30


# Lives


def test_an_audit_that_tells_of_a_delete_ends_the_life_alone(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIMELINE_DEFINITIONS")
    legacy = {
        "event_type": "compute.instance.exists",
        "timestamp": "2026-03-01 13:04:11.000000",
        "payload": {"instance_id": "legacy", "state": "deleted", "deleted_at": "2026-03-01T12:34:56.000000"},
    }
    versioned = {
        "event_type": "instance.exists",
        "timestamp": "2026-03-01 13:04:11.000000",
        "payload": {
            "nova_object.data": {"uuid": "versioned", "state": "deleted", "deleted_at": "2026-03-01T12:34:56Z"}
        },
    }
    alive = legacy | {"payload": {"instance_id": "alive", "state": "active", "deleted_at": ""}}
    assert counted(run("ingest", written("messages.jsonl", legacy, versioned, alive))) == (3, 3, 0, 0)
    for id in ("legacy", "versioned"):
        shown = run("show", f"instance/{id}", "--at", "2026-03-01T12:34:56").json
        assert (shown["existence"], shown["since"]) == ("deleted", "2026-03-01T12:34:56.000000Z")
        assert run("show", id, "--at", "2026-03-01T12:34:55.999999").json["existence"] == "unknown"
        assert [each["existence"] for each in run("history", id).json] == ["deleted"]
    assert run("show", "alive").json["existence"] == "present"


def test_a_build_that_fails_after_the_delete_revives_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIMELINE_DEFINITIONS")

    def instance(event: str, at: str, state: str) -> dict[str, object]:
        payload = {"instance_id": "i1", "state": state}
        return {"event_type": f"compute.instance.{event}", "timestamp": f"2026-03-01 {at}", "payload": payload}

    messages = (
        instance("create.start", "12:00:00", "building"),
        instance("delete.end", "12:01:00", "deleted"),
        instance("create.error", "12:02:00", "error"),
        instance("create.end", "12:03:00", "active"),
        instance("update", "12:04:00", "active"),
    )
    for order in (messages, messages[::-1], messages[2:] + messages[:2]):
        assert counted(run("ingest", written("messages.jsonl", *order))) == (5, 5, 0, 0)
        shown = run("show", "instance/i1").json
        assert (shown["existence"], shown["life"], shown["last"]["state"]) == ("deleted", 1, "building")
        assert shown["since"] == "2026-03-01T12:01:00.000000Z"
    table = run("history", "i1", "--format", "table").out
    assert table.count("after the delete, without effect:") == 3
