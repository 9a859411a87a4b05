"""The schema: what the migrations make, and stores of another age."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from timeline import drivers, packaged
from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.sql import revision
from timeline.drivers.sql.schema import REVISION, metadata
from timeline.drivers.sql.sqlite import Sqlite
from timeline.errors import StoreForeign, StoreOutdated, StoreTooNew
from timeline.model import Outcome, Scope


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "timeline.db"
    with closing(drivers.open(f"sqlite:///{path}")) as driver:
        driver.prepare()
        driver.append([event(1)])
    return path


def schema_of(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT name, sql FROM sqlite_master WHERE name <> 'alembic_version' ORDER BY name")
        return [(name, sql) for name, sql in found if sql is not None]


def tables_of(path: Path) -> dict[str, list[object]]:
    """What the tables and indexes are, however the statements that made them are spelled."""
    tables: dict[str, list[object]] = {}
    with closing(sqlite3.connect(path)) as database:
        for _, name, kind, _, without_rowid, strict in database.execute("PRAGMA table_list").fetchall():
            if name.startswith("sqlite_") or name == "alembic_version":
                continue
            indexes = database.execute(f"PRAGMA index_list({name})").fetchall()
            tables[name] = [
                (kind, without_rowid, strict),
                database.execute(f"PRAGMA table_xinfo({name})").fetchall(),
                sorted(
                    (each, *found, database.execute(f"PRAGMA index_xinfo({each})").fetchall())
                    for _, each, *found in indexes
                ),
            ]
    return tables


def set_revision(path: Path, number: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (number,))
        database.commit()


def test_the_revision_is_the_head_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(packaged.path("migrations")))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [REVISION]
    assert sorted(script.revision for script in scripts.walk_revisions()) == [
        f"{number:04}" for number in range(1, int(REVISION) + 1)
    ]


def test_the_migrations_make_the_tables_that_the_program_uses(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{other}")
    metadata.create_all(engine)
    engine.dispose()
    assert tables_of(path) == tables_of(other)


class TestFrom0001:
    """Stores that were made before the log of changes was kept."""

    @pytest.fixture
    def older(self, path: Path, tmp_path: Path) -> Path:
        """A store of that age, with events."""
        with closing(drivers.open(f"sqlite:///{path}")) as driver:
            driver.append([event(2), event(1, "large", of=number(1))])
            driver.put([record("aa", place=None)])
        with closing(sqlite3.connect(path)) as database:
            database.executescript(
                """
                DROP TABLE change;
                DROP TABLE writer;
                CREATE TABLE writer (
                    id SMALLINT NOT NULL,
                    commits BIGINT NOT NULL,
                    PRIMARY KEY (id)
                );
                INSERT INTO writer VALUES (3, 1), (11, 1);
                ALTER TABLE quarantine DROP COLUMN note;
                ALTER TABLE quarantine DROP COLUMN place;
                UPDATE alembic_version SET version_num = '0001';
                """
            )
        assert words_of(path) == words_of(made_at("0001", tmp_path / "0001.db"))
        return path

    def test_it_is_outdated_until_init_is_run(self, older: Path) -> None:
        with closing(drivers.open(f"sqlite:///{older}")) as driver:
            for call in (driver.version, lambda: driver.append([event(3)]), lambda: driver.changed("0")):
                with pytest.raises(StoreOutdated, match="schema 0001, older than"):
                    call()
            driver.prepare()
            assert driver.summary().revision == REVISION

    def test_init_keeps_all_that_is_in_it(self, older: Path) -> None:
        with closing(drivers.open(f"sqlite:///{older}")) as driver:
            driver.prepare()
            assert list(driver.events(Scope())) == [event(1), event(2), event(1, "large", of=number(1))]
            assert list(driver.events([VM], last_per_body=True)) == [event(2)]
            assert driver.append([event(1), event(2)]).events == 0
            assert [one.id for one in driver.list()] == ["aa"]
        assert words_of(older) == words_of(made_at(REVISION, older.parent / "new.db"))

    def test_afterwards_what_is_new_is_told_and_what_was_is_not_known(self, older: Path) -> None:
        with closing(drivers.open(f"sqlite:///{older}")) as driver:
            driver.prepare()
            token = driver.version()
            assert list(driver.changed(token) or []) == []
            driver.append([event(7, of=number(1))])
            assert list(driver.changed(token) or []) == [number(1)]
            assert [driver.changed(before) for before in ("0", "1", "2", "3")] == [None] * 4

    def test_what_was_quarantined_before_has_no_place_and_may_be_dropped(self, older: Path) -> None:
        with closing(drivers.open(f"sqlite:///{older}")) as driver:
            driver.prepare()
            assert list(driver.list()) == [record("aa", place=None)]
            driver.settle("aa", Outcome.DROPPED, 9, "a test of the vendor")
            assert [one.note for one in driver.find("aa")] == ["a test of the vendor"]

    def test_an_empty_one_begins_with_nothing(self, tmp_path: Path) -> None:
        path = made_at("0001", tmp_path / "0001.db")
        with closing(drivers.open(f"sqlite:///{path}")) as driver:
            driver.prepare()
            token = driver.version()
            driver.append([event(1)])
            assert list(driver.changed(token) or []) == [VM]

    def test_a_program_of_that_age_that_is_still_connected_adds_nothing(self, older: Path) -> None:
        with closing(sqlite3.connect(older)) as connected:
            connected.execute("SELECT commits FROM writer").fetchall()
            with closing(drivers.open(f"sqlite:///{older}")) as driver:
                driver.prepare()
            with pytest.raises(sqlite3.OperationalError, match="no such column: commits"):
                connected.execute("UPDATE writer SET commits = commits + 1 WHERE id = 3")


def made_at(revision_number: str, path: Path) -> Path:
    """An empty store as it was made at the time of a revision."""
    with Sqlite(f"sqlite:///{path}", str(path), 1.0).migrating() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(packaged.path("migrations")))
        command.upgrade(config, revision_number)
    return path


def words_of(path: Path) -> list[tuple[str, list[str]]]:
    """The schema, whatever space stands in it."""
    return [(name, sql.split()) for name, sql in schema_of(path)]


def test_migrations_import_nothing_of_ours() -> None:
    for file in packaged.path("migrations").rglob("*.py"):
        assert "timeline" not in "".join(
            line for line in file.read_text().splitlines() if line.lstrip().startswith(("import", "from"))
        )


def test_an_older_store_names_the_command_that_mends_it(path: Path) -> None:
    set_revision(path, "0000")
    with pytest.raises(
        StoreOutdated, match=f"schema 0000, older than {REVISION}.*timeline init --store sqlite:///{path}"
    ):
        drivers.open(f"sqlite:///{path}").version()


def test_a_newer_store_is_left_alone(path: Path) -> None:
    set_revision(path, "9999")
    driver = drivers.open(f"sqlite:///{path}")
    for call in (driver.version, driver.prepare):
        with pytest.raises(StoreTooNew, match=f"schema 9999, newer than {REVISION}"):
            call()


def test_a_store_that_becomes_newer_while_it_is_open_is_seen_by_the_next_connection(path: Path) -> None:
    with closing(drivers.open(f"sqlite:///{path}")) as driver:
        answer = driver.events([VM])
        set_revision(path, "9999")
        with pytest.raises(StoreTooNew):
            next(answer)


def test_preparing_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with closing(drivers.open(f"sqlite:///{tmp_path}/quiet.db")) as driver:
        driver.prepare()
    assert capfd.readouterr() == ("", "")


def test_a_migration_that_fails_leaves_nothing_behind(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "100% migrations"
    (broken / "versions").mkdir(parents=True)
    ours = packaged.path("migrations")
    (broken / "env.py").write_text((ours / "env.py").read_text())
    for script in (ours / "versions").glob("*.py"):
        (broken / "versions" / script.name).write_text(script.read_text() + "    op.execute('SELECT nothing')\n")
    monkeypatch.setattr(revision.packaged, "path", lambda name: broken)
    driver = drivers.open(f"sqlite:///{tmp_path}/new.db")
    with pytest.raises(StoreForeign):
        driver.prepare()
    assert schema_of(tmp_path / "new.db") == []
    monkeypatch.undo()
    driver.prepare()
    driver.append([event(1)])
    driver.close()
