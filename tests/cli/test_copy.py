"""A store copied into another: everything, as it was, however often it was begun; and then compared."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.messages import SMALL, clock, lines, thing, written
from tests.cli.running import run, run_on_screen, started
from timeline import drivers
from timeline.drivers import Driver
from timeline.model import Body, Event, Phase, Resource

SOURCE, TARGET = "sqlite:///timeline.db", "sqlite:///target.db"
COPY = ("copy", "--from", SOURCE, "--to", TARGET)
NAMES = [
    "events",
    "copied",
    "missing",
    "differing",
    "extra",
    "quarantined",
    "quarantined_copied",
    "quarantined_missing",
    "quarantined_differing",
    "digest",
    "target_digest",
    "source_changed",
    "verified",
    "differences",
]


def dump(store: str) -> str:
    return run("export", "events", "--provenance", "--store", store).out


@pytest.fixture
def target(history: None, fresh_store: Path) -> Path:
    """A store that is ready and empty, beside the one with a history."""
    return Path(shutil.copy(fresh_store, "target.db"))


@contextmanager
def opened(store: str) -> Iterator[Driver]:
    driver = drivers.open(store)
    try:
        yield driver
    finally:
        driver.close()


def seen(at: int, of: str = "many", recorded_at: int = 7) -> Event:
    """An event of its own."""
    body = Body.of({"n": at % 50})
    return Event(Resource(type="thing", id=of), at, Phase.UPDATE, body, recorded_at, "thing.update", f"m{at}")


def test_a_copy_holds_the_same_events_and_says_so(target: Path) -> None:
    ran = run(*COPY)
    assert (ran.code, ran.err) == (0, "")
    told = ran.json
    assert list(told) == NAMES
    assert (told["events"], told["copied"], told["verified"], told["source_changed"]) == (7, 7, True, False)
    assert (told["missing"], told["differing"], told["extra"], told["differences"]) == (0, 0, 0, [])
    assert dump(TARGET) == dump(SOURCE)
    assert told["digest"] == told["target_digest"] == sha256(dump(SOURCE).encode()).hexdigest()


def test_a_copy_answers_as_known_at_an_earlier_time_as_its_source_does(target: Path) -> None:
    with opened(SOURCE) as driver:
        driver.append([seen(5, recorded_at=1_000_000), seen(6, recorded_at=2_000_000)])
    assert run(*COPY).code == 0
    asked = ("history", "thing/many", "--as-known-at", "1970-01-01T00:00:02Z", "--store")
    assert run(*asked, TARGET).json == run(*asked, SOURCE).json != []


def test_quarantine_is_copied_settled_or_not(target: Path) -> None:
    odd = written("odd.jsonl", b"no JSON", thing("create", "12:00", None), thing("create", None, "t9"))
    assert run("ingest", odd).code == 3
    Path("mended.yaml").write_text(
        Path("things.yaml").read_text().replace("id: payload.id,", "id: [payload.id, event_type],")
    )
    assert run("quarantine", "retry", "--definitions", "mended.yaml").json["in_scope"] == 1
    ran = run(*COPY)
    assert (ran.code, ran.err) == (0, "")
    assert [ran.json[name] for name in NAMES[5:9]] == [3, 3, 0, 0]
    assert run("quarantine", "list", "--store", TARGET).out == run("quarantine", "list").out != ""
    with opened(SOURCE) as source, opened(TARGET) as copy:
        every = list(source.list(settled=True))
        assert list(copy.list(settled=True)) == every
        assert sorted(str(record.outcome) for record in every) == ["None", "None", "stored"]
    assert run(*COPY).json["quarantined_copied"] == 0


def test_a_message_that_was_settled_in_the_source_is_settled_by_the_next_copy(target: Path) -> None:
    run("ingest", written("odd.jsonl", thing("create", "12:00", None)))
    assert run(*COPY).json["quarantined_copied"] == 1
    Path("mended.yaml").write_text(
        Path("things.yaml").read_text().replace("id: payload.id,", "id: [payload.id, event_type],")
    )
    run("quarantine", "retry", "--definitions", "mended.yaml")
    told = run(*COPY).json
    assert (told["copied"], told["quarantined_copied"], told["quarantined_differing"]) == (1, 1, 0)
    assert run("quarantine", "list", "--store", TARGET).out == ""


def test_copying_again_copies_what_has_come_since_and_nothing_else(target: Path) -> None:
    assert run(*COPY).json["copied"] == 7
    assert run(*COPY).json["copied"] == 0
    run("ingest", written("more.jsonl", thing("create", "11:00", "t0", **SMALL)))
    told = run(*COPY).json
    assert (told["events"], told["copied"], told["verified"]) == (8, 1, True)
    assert dump(TARGET) == dump(SOURCE)


def test_a_copy_that_is_killed_is_run_again_and_goes_on(target: Path) -> None:
    with opened(SOURCE) as driver:
        driver.append([seen(at, f"many{at % 100}") for at in range(30_000)])
    with started(*COPY) as process, opened(TARGET) as copy:
        empty = copy.version()
        while process.poll() is None and copy.version() == empty:
            pass  # until it has copied something
        process.kill()
        process.communicate()
        there = copy.summary().events
    assert there > 0
    told = run(*COPY).json
    assert (told["events"], told["copied"], told["verified"]) == (30_007, 30_007 - there, True)
    assert dump(TARGET) == dump(SOURCE)


def test_what_the_target_holds_besides_stays_and_is_counted(target: Path) -> None:
    with opened(TARGET) as copy:
        copy.append([seen(1), seen(2)])
    ran = run(*COPY)
    assert (ran.code, ran.sentences) == (0, ["timeline: the target holds 2 events besides, so the digests differ"])
    assert (ran.json["extra"], ran.json["verified"]) == (2, True)
    assert ran.json["digest"] == sha256(dump(SOURCE).encode()).hexdigest()
    assert ran.json["target_digest"] == sha256(dump(TARGET).encode()).hexdigest() != ran.json["digest"]


def test_an_event_that_the_target_had_from_another_delivery_differs_and_is_named(target: Path) -> None:
    with opened(SOURCE) as source, opened(TARGET) as copy:
        source.append([seen(1), seen(2), seen(3, "other")])
        copy.append([seen(1, recorded_at=8), seen(3, "other", recorded_at=9)])
    ran = run(*COPY)
    assert ran.code == 1
    assert ran.err.startswith("timeline: 2 events were in the target from another delivery, and keep what is told")
    assert (ran.json["differing"], ran.json["missing"], ran.json["verified"]) == (2, 0, False)
    named = [(each["resource"]["id"], each["missing"], each["differing"]) for each in ran.json["differences"]]
    assert named == [("many", 0, 1), ("other", 0, 1)]


def test_a_message_that_the_target_had_from_another_delivery_is_told_and_no_failure(target: Path) -> None:
    written("odd.jsonl", b"no JSON")
    for store in (SOURCE, TARGET):
        assert run("ingest", "odd.jsonl", "--store", store).code == 3
    ran = run(*COPY)
    assert (ran.code, ran.json["quarantined_differing"], ran.json["verified"]) == (0, 1, True)
    assert "1 quarantined messages were in the target from another delivery" in ran.err


def test_an_empty_store_is_copied_too(store: Path, fresh_store: Path) -> None:
    shutil.copy(fresh_store, "target.db")
    told = run(*COPY).json
    assert (told["events"], told["verified"]) == (0, True)
    assert told["digest"] == sha256(b"").hexdigest()


def test_a_target_that_was_never_made_is_not_made(history: None) -> None:
    ran = run(*COPY)
    assert (ran.code, ran.out) == (1, "")
    assert "no store is there yet; timeline init --store sqlite:///" in ran.err
    assert not Path("target.db").exists()


def test_a_source_that_is_not_there_is_told(target: Path) -> None:
    ran = run("copy", "--from", "sqlite:///nothing.db", "--to", TARGET)
    assert (ran.code, ran.out) == (1, "")
    assert "nothing.db: no store is there yet" in ran.err
    assert not Path("nothing.db").exists()


def test_a_store_is_not_copied_into_itself(history: None) -> None:
    ran = run("copy", "--from", SOURCE, "--to", SOURCE)
    assert (ran.code, ran.out) == (2, "")
    assert "--from and --to are the same store" in ran.err


def test_a_target_that_cannot_be_written_is_a_sentence(target: Path) -> None:
    with opened(TARGET) as copy:
        copy.append([seen(1)])
    Path("target.db").write_bytes(Path("target.db").read_bytes()[:5_000])
    ran = run(*COPY)
    assert (ran.code, ran.out, len(ran.sentences)) == (1, "", 1)
    assert "target.db" in ran.err


def test_a_person_sees_a_table_of_what_was_done(target: Path) -> None:
    shown = run_on_screen(*COPY)
    assert len(shown.splitlines()) == len(NAMES) - 1, "without differences there is no table of them"
    assert all(name in shown for name in NAMES[:-1])


def test_a_person_sees_how_far_it_is(target: Path) -> None:
    with opened(SOURCE) as driver:
        driver.append([seen(at) for at in range(5_000)])
    shown = run_on_screen(*COPY, alone=False)
    assert "copying" in shown
    assert "comparing" in shown


def test_a_deleted_thing_is_deleted_in_the_copy(target: Path) -> None:
    run(
        "ingest",
        written("late.jsonl", *(thing("exists", "12:20", size=9),)),
        "-",
        stdin=lines(thing("update", "12:10")),
    )
    assert run(*COPY).code == 0
    for asked in (
        ("show", "thing/t1", "--at", clock("15:00")),
        ("explain", "thing/t1", "size", "--at", clock("12:50")),
    ):
        assert run(*asked, "--store", TARGET).json == run(*asked).json
