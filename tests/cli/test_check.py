"""A store looked through: what is wrong is told, a line each, and nothing is mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.messages import written
from tests.cli.running import run, run_on_screen

WHOLE = "nothing is wrong in 7 events of 2 resources, 1 quarantined messages\n"


@pytest.fixture
def filled(history: None) -> Path:
    """A store with a history and one message in quarantine."""
    assert run("ingest", written("odd.jsonl", b"no JSON")).code == 3
    return Path("timeline.db")


def damaged(by: str) -> None:
    """Do to the store what no program of ours does."""
    with closing(sqlite3.connect("timeline.db")) as database:
        database.executescript(by)
        database.commit()


def test_a_sound_store_has_no_problems(filled: Path) -> None:
    ran = run("check")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert run("check", "--format", "json").json == []
    assert run("check", "--format", "table").out == WHOLE
    assert run_on_screen("check") == WHOLE


def test_an_empty_store_has_no_problems(store: Path) -> None:
    assert run("check").code == 0


def test_a_resource_that_is_listed_and_has_no_events_is_told(filled: Path) -> None:
    damaged("INSERT INTO resource VALUES (900, x'61', x'', x'61')")
    listed, counted = run("check").lines
    assert (listed["problem"], listed["resource"]["id"]) == ("answers-differ", "a")
    assert counted["detail"] == "the store counts 3 resources, and gives 2"


def test_what_nothing_refers_to_is_no_problem(filled: Path) -> None:
    damaged("DELETE FROM change; INSERT INTO body VALUES (900, x'61'); INSERT INTO event_type VALUES (900, x'61')")
    damaged("INSERT INTO body_digest VALUES (x'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb', 900)")
    assert run("check").lines == []


DAMAGES = [
    ("DELETE FROM body WHERE id = 1", "body-missing", "names body 1, which is not in the table body"),
    ("DELETE FROM body WHERE id = 1", "reference-missing", "names body 1, which is not in the table body"),
    ("UPDATE body SET data = x'7b7d' WHERE id = 2", "body-damaged", "body 2 has other bytes than its digest"),
    ("DELETE FROM body_digest", "reference-missing", "body 1 has no digest in the table body_digest"),
    ("DELETE FROM resource WHERE id = 1", "reference-missing", "names resource 1, which is not in the table resource"),
    ("DELETE FROM stream WHERE id = 1", "reference-missing", "events name stream 1, which is not in the table stream"),
    ("DELETE FROM event_type", "reference-missing", "events name event type 1, which is not in the table event_type"),
    ("UPDATE stream SET id = 1", "row-damaged", "several rows of the table stream have the id 1"),
    ("UPDATE event SET phase = 12 WHERE phase = 30", "row-damaged", "no phase has the number 12"),
    ("UPDATE event SET phase = 90 WHERE phase = 25", "row-damaged", "with phase 90 is in stream"),
    (
        "UPDATE event SET recorded_at = 9e17 WHERE phase = 90",
        "row-damaged",
        "a time is not between the years 1 and 9999",
    ),
    ("UPDATE event SET occurred_at = -9e17 WHERE phase = 90", "row-damaged", "a time is not between the years"),
    ("UPDATE event SET message_id = x'' WHERE phase = 90", "row-damaged", "the message id cannot be read"),
    ("UPDATE event SET message_id = x'00ff' WHERE phase = 90", "row-damaged", "the message id cannot be read"),
    ("UPDATE resource SET name = x'ff' WHERE id = 1", "row-damaged", "name of resource 1 is no text in UTF-8"),
    ("UPDATE event_type SET name = x'ff' WHERE id = 1", "row-damaged", "event type 1 is no text in UTF-8"),
    ("UPDATE quarantine SET outcome = x'6c6f7374', settled_at = 1", "row-damaged", "the outcome 'lost' is none"),
    ("UPDATE quarantine SET settled_at = 1", "row-damaged", "it is settled by half"),
    ("UPDATE quarantine SET note = x'41'", "row-damaged", "it has a note and was not dropped"),
    ("UPDATE quarantine SET place = x'ff00c0'", "row-damaged", "a text is not in UTF-8"),
    ("UPDATE quarantine SET origin = x'ff00c0'", "row-damaged", "a text is not in UTF-8"),
    ("UPDATE quarantine SET data = x'7b7d7b7d7b7d7b'", "row-damaged", "has other bytes than its id says"),
]


@pytest.mark.parametrize(("by", "problem", "detail"), DAMAGES)
def test_what_is_wrong_is_told_and_left_as_it_is(filled: Path, by: str, problem: str, detail: str) -> None:
    damaged(by)
    before = _contents()
    ran = run("check")
    assert ran.code == 1
    assert all(list(line) == ["problem", "resource", "detail"] for line in ran.lines)
    assert any(line["problem"] == problem and detail in line["detail"] for line in ran.lines), ran.out
    assert f"{len(ran.lines)} problem" in ran.err
    assert "nothing was changed: restore the store from a backup" in ran.err
    assert _contents() == before
    assert run("check", "--format", "json").json == ran.lines


def test_a_problem_names_the_resource_that_it_is_about(filled: Path) -> None:
    damaged("UPDATE event SET phase = 12 WHERE phase = 25")
    told = [line["resource"] for line in run("check").lines if line["problem"] == "row-damaged"]
    assert told == [{"type": "thing", "id": "t1", "source": ""}]


def test_a_body_that_has_its_digest_and_is_not_canonical_is_told(filled: Path) -> None:
    with closing(sqlite3.connect("timeline.db")) as database:
        data = b'{"v": 3, "f": {}}'
        database.execute("UPDATE body SET data = ? WHERE id = 1", (data,))
        database.execute("UPDATE body_digest SET digest = ? WHERE body = 1", (sha256(data).digest(),))
        database.commit()
    (line,) = run("check").lines
    assert (line["problem"], line["resource"]["id"]) == ("body-damaged", "t1")
    assert line["detail"].endswith("is no canonical body")


def test_an_index_that_lost_a_row_is_what_the_database_itself_tells(filled: Path) -> None:
    with closing(sqlite3.connect("timeline.db")) as database:
        database.execute("PRAGMA writable_schema = 1")
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'resource_key'").fetchone()
        database.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = 'event_type_name'", (root,))
        database.commit()
    told = run("check").lines
    assert "database-damaged" in {line["problem"] for line in told}


@pytest.mark.parametrize("page", range(2, 20))
def test_a_page_that_was_overwritten_is_told(filled: Path, page: int) -> None:
    damaged("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(filled.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    if page * size >= len(data):
        return
    data[page * size : page * size + size] = b"\xab" * size
    filled.write_bytes(data)
    ran = run("check")
    assert ran.code == 1
    assert ran.out or ran.err.startswith("timeline: ")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda: None, "no store is there yet"),
        (lambda: damaged("CREATE TABLE accounts (x)"), "was not made by this program"),
    ],
    ids=["none", "another"],
)
def test_what_is_no_store_is_a_sentence(folder: Path, spoil: Callable[[], object], says: str) -> None:
    spoil()
    ran = run("check")
    assert (ran.code, ran.out) == (1, "")
    assert says in ran.err


def test_a_file_that_is_no_database_is_one_problem(folder: Path) -> None:
    Path("timeline.db").write_text("precious")
    (line,) = run("check").lines
    assert line["problem"] == "unreadable"
    assert "this is no SQLite database, or a damaged one" in line["detail"]


@pytest.mark.parametrize(("revision", "says"), [("0001", "older than"), ("9999", "newer than")])
def test_a_schema_that_is_not_current_is_a_sentence(filled: Path, revision: str, says: str) -> None:
    damaged(f"UPDATE alembic_version SET version_num = '{revision}'")
    ran = run("check")
    assert (ran.code, ran.out) == (1, "")
    assert says in ran.err


def test_a_screen_shows_the_first_problems_and_says_so(filled: Path) -> None:
    rows = ", ".join(f"({number}, x'61')" for number in range(100, 350))
    damaged(f"INSERT INTO body VALUES {rows}")
    ran = run("check", "--format", "table")
    assert "these are the first 100; --format jsonl gives all" in ran.err
    assert "250 problems in 7 events" in ran.err


def _contents() -> list[str]:
    with closing(sqlite3.connect("timeline.db")) as database:
        return list(database.iterdump())
