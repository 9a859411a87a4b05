"""What cannot be done is told in one sentence, which names the place and the way out; and nothing is lost by it."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.messages import DEFINITIONS, lines, thing, written
from tests.cli.running import Ran, run, run_process

MESSAGES = [
    thing("update", f"{minute // 60:02}:{minute % 60:02}", f"t{minute % 50}", size=minute) for minute in range(900)
]


def sentence(ran: Ran, code: int) -> str:
    """The one line on standard error, of a run that ended with this exit code and answered nothing."""
    assert (ran.code, ran.out) == (code, ""), ran
    (line,) = ran.sentences
    assert line.startswith("timeline: ")
    return line.removeprefix("timeline: ")


def stored() -> int:
    return int(run("status").json["events"])


# Files of messages


@pytest.mark.parametrize(
    "name", ["nowhere.jsonl", "no/where.jsonl", "messages.jsonl/x", "empty", "a\x00b", "/dev/null"]
)
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_read(store: Path, name: str) -> None:
    Path("empty").mkdir()
    good = written("messages.jsonl", *MESSAGES[:3])
    told = sentence(run("ingest", good, name), 1)
    assert told.startswith(f"{name.encode('unicode_escape').decode()}: ")
    assert told.endswith("nothing was read")
    assert stored() == 0


@pytest.mark.parametrize("share", [0.999, 0.5, 0.1])
def test_what_came_before_the_cut_of_a_compressed_file_is_stored(store: Path, share: float) -> None:
    whole = gzip.compress(lines(*MESSAGES))
    Path("cut.gz").write_bytes(whole[: int(len(whole) * share)])
    ran = run("ingest", "cut.gz")
    assert (ran.code, len(ran.sentences)) == (1, 1)
    assert ran.err.startswith("timeline: cut.gz:")
    assert "the gzip data end too early" in ran.err
    assert "ingest it again when it is whole" in ran.err
    assert 0 < stored() == ran.json["events"] == ran.json["notifications"] <= 900
    Path("cut.gz").write_bytes(whole)
    assert run("ingest", "cut.gz").json["duplicates"] == ran.json["events"]
    assert stored() == 900


def test_what_came_before_the_damage_of_a_compressed_file_is_stored(store: Path) -> None:
    whole = gzip.compress(lines(*MESSAGES[:450])) + gzip.compress(lines(*MESSAGES[450:]))
    Path("damaged.gz").write_bytes(whole[:-2_000] + b"\xff" * 2_000)
    ran = run("ingest", "damaged.gz", written("next.jsonl", thing("create", "23:00", "next")))
    assert (ran.code, len(ran.sentences)) == (1, 1)
    assert "damaged.gz:" in ran.err
    assert "the gzip data are damaged" in ran.err
    assert 450 <= stored() == ran.json["events"] < 900


def test_nothing_is_answered_where_nothing_was_read(store: Path) -> None:
    Path("cut.gz").write_bytes(gzip.compress(lines(*MESSAGES))[:5])
    assert "cut.gz:1" in sentence(run("ingest", "cut.gz"), 1)


# Definitions

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD_DEFINITIONS = {
    "unknown key": ("- event_type: x\n  traits: {}\n  colour: red\n", 3, "'colour'"),
    "unknown key of a trait": ("- event_type: x\n  traits: {a: {field: b}}\n", 2, "'field'"),
    "unknown key of a resource": ("- event_type: x\n  traits: {}\n  resource: {kind: x}\n", 3, "'kind'"),
    "missing key": ("- event_type: x\n", 1, "'traits'"),
    "doubled key": ("- event_type: x\n  traits: {}\n  event_type: y\n", 3, "'event_type'"),
    "no list": ("a: b\n", 1, "list of definitions"),
    "no map": ("- x\n", 1, "map"),
    "bad YAML": ("- event_type: [x\n", 2, "not YAML"),
    "tab": ("\t- x\n", 1, "not YAML"),
    "two documents": ("- {event_type: x, traits: {}}\n---\n- x\n", 2, "single document"),
    "control character": ("- event_type: x\n  traits: {a: \x07}\n", 2, "not YAML"),
    "object": ("- !!python/object/apply:os.system [id]\n", 1, "python/object"),
    "date": ("- event_type: 2026-03-01\n  traits: {}\n", 1, "quotes"),
    "alias bomb": (BOMB, None, "aliases"),
    "loop": ("- &a [*a]\n", 1, "aliases"),
    "depth": ("[" * 5_000, 1, "nested"),
    "length": ("#" * 2_000_000, None, "1048576 bytes"),
    "unknown plugin": ("- event_type: x\n  traits:\n    a: {fields: b, plugin: zap}\n", 3, "'zap'"),
    "parameters": (
        "- event_type: x\n  traits: {a: {fields: b, plugin: {name: map, parameters: {x: 1}}}}\n",
        2,
        "'map'",
    ),
    "unknown type": ("- event_type: x\n  traits: {a: {fields: b, type: colour}}\n", 2, "'colour'"),
    "unknown phase": ("- event_type: x\n  traits: {}\n  phase: later\n", 3, "'later'"),
    "bad path": ("- event_type: x\n  traits: {a: 'b['}\n", 2, "'b['"),
    "filter": ("- event_type: x\n  traits: {a: '$.b[?(@.c == 1)]'}\n", 2, "filter"),
    "function": ("- event_type: x\n  traits: {a: '$.b.`len`'}\n", 2, "function"),
    "arithmetic": ("- event_type: x\n  traits: {a: '$.b + $.c'}\n", 2, "arithmetic"),
}


@pytest.mark.parametrize(("text", "line", "word"), BAD_DEFINITIONS.values(), ids=list(BAD_DEFINITIONS))
def test_a_definition_file_that_cannot_be_used_is_told_by_its_place(
    store: Path, text: str, line: int | None, word: str
) -> None:
    Path("bad.yaml").write_text(text)
    good = written("messages.jsonl", *MESSAGES[:3])
    told = {
        sentence(run(*command, "--definitions", "bad.yaml"), 1)
        for command in (
            ("ingest", good),
            ("quarantine", "retry"),
            ("definitions", "list"),
            ("definitions", "try", good),
        )
    }
    (only,) = told
    assert only.startswith("bad.yaml:" if line is None else f"bad.yaml:{line}: ")
    assert word in only
    assert stored() == 0


@pytest.mark.parametrize(
    ("name", "reason"), [("nowhere.yaml", "No such file"), (".", "Is a directory"), ("binary.yaml", "UTF-8")]
)
@pytest.mark.parametrize(
    "command", ["ingest messages.jsonl", "quarantine retry", "definitions list", "definitions try messages.jsonl"]
)
def test_a_definition_file_that_is_not_there_or_no_text_is_told(
    store: Path, command: str, name: str, reason: str
) -> None:
    written("messages.jsonl", *MESSAGES[:3])
    Path("binary.yaml").write_bytes(b"- event_type: \xff\n")
    told = sentence(run(*command.split(), "--definitions", name), 1)
    assert told.startswith(f"{name}: ")
    assert reason in told


# Stores


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("timeline.db", ["'timeline.db' is no store URL", "sqlite:///timeline.db"]),
        ("/var/lib/timeline.db", ["no store URL", "sqlite:////var/lib/timeline.db"]),
        ("sqltie:///timeline.db", ["sqltie:", "is sqlite: meant?"]),
        ("sqlite//timeline.db", ["no store URL"]),
        ("sqlite:timeline.db", ["sqlite:timeline.db", "sqlite:///timeline.db"]),
        ("sqlite://timeline.db", ["sqlite://timeline.db", "sqlite:///timeline.db"]),
        ("sqlite:///", ["names no file"]),
        ("sqlite:///:memory:", ["memory:"]),
        ("sqlite:///timeline.db?timout=3", ["timout", "?timeout=30"]),
        ("sqlite:///timeline.db?timeout=soon", ["'soon'", "?timeout=30"]),
        ("oracle://scott:tiger@host/db", ["oracle:", "sqlite:"]),
        ("memory:x", ["memory:"]),
    ],
)
@pytest.mark.parametrize("command", ["init", "status", "ingest messages.jsonl", "show x"])
def test_a_store_url_that_cannot_be_understood_is_wrong_usage(
    folder: Path, command: str, url: str, words: list[str]
) -> None:
    written("messages.jsonl", *MESSAGES[:3])
    told = sentence(run(*command.split(), "--store", url), 2)
    assert [word for word in words if word not in told] == []
    assert "tiger" not in told
    assert sorted(path.name for path in folder.iterdir()) == ["messages.jsonl", "things.yaml"]


def test_a_driver_whose_package_is_missing_is_told_with_the_command_that_installs_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = folder / "packages" / "timeline_far-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: timeline-far\nVersion: 1.0\nProvides-Extra: far\n")
    (info / "entry_points.txt").write_text("[timeline.drivers]\nfar = timeline_far:open [far]\n")
    (folder / "packages" / "timeline_far.py").write_text("import a_package_that_nobody_has\n")
    monkeypatch.syspath_prepend(folder / "packages")
    told = sentence(run("status", "--store", "far://somewhere"), 1)
    assert "a_package_that_nobody_has" in told
    assert told.endswith("pip install 'timeline-far[far]'")


@pytest.mark.parametrize(
    "command",
    [
        *("status", "resources", "show x", "history x", "diff x --from now", "explain x y", "export events"),
        *("quarantine list", "quarantine show x", "quarantine retry", "ingest messages.jsonl", "ingest -"),
    ],
)
def test_a_store_that_was_never_made_is_told_with_the_command_that_makes_it(folder: Path, command: str) -> None:
    written("messages.jsonl")  # not even where there is nothing to store
    told = sentence(run(*command.split()), 1)
    assert told.startswith("timeline.db: no store is there yet; timeline init")
    assert not Path("timeline.db").exists()
    Path("timeline.db").touch()
    assert "timeline init" in sentence(run(*command.split()), 1)


def test_a_folder_that_is_not_there_is_not_made(folder: Path) -> None:
    assert f"no folder {folder / 'no'}" in sentence(run("init", "--store", "sqlite:///no/where.db"), 1)
    assert not Path("no").exists()
    assert sentence(run("init", "--store", f"sqlite:///{folder}"), 1).startswith(f"{folder}: a store is a file")


@pytest.fixture
def locked(store: Path) -> Iterator[str]:
    """A store to which another process writes, and a URL that does not wait long for it."""
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield "sqlite:///timeline.db?timeout=0.1"
        other.execute("ROLLBACK")


def test_a_store_that_another_holds_is_told_with_the_way_to_wait_longer(locked: str) -> None:
    path = written("messages.jsonl", *MESSAGES[:3])
    told = sentence(run("ingest", path, "--store", locked), 1)
    assert told.startswith("timeline.db: another process holds the store for longer than the 0.1 s")
    assert "?timeout=SECONDS" in told


def test_a_store_that_another_writes_can_be_read(locked: str) -> None:
    for command in ("status", "resources", "export events", "init"):
        assert run(*command.split(), "--store", locked).code == 0


def foreign(name: str, *statements: str) -> Path:
    with closing(sqlite3.connect(name)) as database, database:
        for statement in statements:
            database.execute(statement)
    return Path(name)


@pytest.mark.parametrize("command", ["init", "status", "ingest messages.jsonl", "resources"])
@pytest.mark.parametrize(
    ("statements", "word"),
    [
        (["CREATE TABLE customers (name)"], "other tables (customers)"),
        (["CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('1a2b3c')"], "'1a2b3c'"),
        (["CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('9999')"], "newer"),
        (["CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('0003')"], "missing"),
    ],
)
def test_a_database_of_someone_else_is_left_alone(folder: Path, command: str, statements: list[str], word: str) -> None:
    path = foreign("timeline.db", *statements)
    content = path.read_bytes()
    written("messages.jsonl", *MESSAGES[:3])
    told = sentence(run(*command.split()), 1)
    assert told.startswith("timeline.db: ")
    assert word in told
    assert path.read_bytes() == content


@pytest.mark.parametrize("command", ["init", "status", "ingest messages.jsonl", "resources"])
@pytest.mark.parametrize("content", [b"no database", b"x" * 100_000, b"SQLite format 3\x00" + b"\xff" * 5_000])
def test_a_file_that_is_no_database_is_left_alone(folder: Path, command: str, content: bytes) -> None:
    Path("timeline.db").write_bytes(content)
    written("messages.jsonl", *MESSAGES[:3])
    assert sentence(run(*command.split()), 1).startswith("timeline.db: this is no SQLite database, or a damaged one")
    assert Path("timeline.db").read_bytes() == content


@pytest.mark.parametrize("command", ["resources", "export events", "ingest messages.jsonl"])
def test_a_damaged_store_is_told(store: Path, command: str) -> None:
    assert run("ingest", written("messages.jsonl", *MESSAGES)).code == 0
    with store.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (store.stat().st_size - 8192))
    ran = run(*command.split())
    assert ran.code == 1
    assert ran.sentences[0].startswith("timeline: timeline.db: this is no SQLite database, or a damaged one")
    assert len(ran.sentences) == 1


def test_a_full_disk_is_told_and_what_was_committed_before_is_safe(store: Path) -> None:
    path = written("messages.jsonl", *MESSAGES)
    ran = run_process("ingest", path, "--batch", "50", limit="ulimit -f 400")
    assert (ran.code, len(ran.sentences)) == (1, 1)
    assert ran.err.startswith("timeline: timeline.db: no room is left to write")
    assert 0 < ran.json["events"] == stored() < 900
    assert ran.json["notifications"] == ran.json["in_scope"]
    assert run("ingest", path).json["duplicates"] == ran.json["events"]
    assert stored() == 900


def test_a_store_is_not_made_by_halves_where_the_disk_is_full(folder: Path) -> None:
    told = sentence(run_process("init", limit="ulimit -f 8"), 1)
    assert told.startswith("timeline.db: no room is left to write")
    assert run("status").code == 1
    assert run("init").code == 0
    assert stored() == 0


def test_definitions_that_read_nothing_still_count(store: Path) -> None:
    Path("empty.yaml").write_text(DEFINITIONS.replace("thing.*", "nothing.*"))
    ran = run("ingest", written("messages.jsonl", *MESSAGES[:3]), "--definitions", "empty.yaml")
    assert (ran.code, ran.json["out_of_scope"]) == (0, 3)


@pytest.mark.parametrize("command", ["init", "status"])
def test_a_file_of_one_byte_is_left_alone(folder: Path, command: str) -> None:
    (folder / "note.db").write_text("x")
    assert "is no store" in sentence(run(command, "--store", "sqlite:///note.db"), 1)
    assert (folder / "note.db").read_text() == "x"


def test_a_store_among_the_notifications_is_not_read(folder: Path) -> None:
    run("init")
    written("messages.jsonl")
    assert "timeline.db: is a SQLite database" in sentence(run("ingest", "."), 1)
    assert run("status").json["events"] == 0
