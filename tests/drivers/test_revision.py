"""The schema: what the migrations make, and stores of another age."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from alembic.config import Config
from alembic.script import ScriptDirectory

from timeline import drivers, packaged
from timeline.drivers.conformance.history import VM, event
from timeline.drivers.sql import revision
from timeline.drivers.sql.schema import REVISION, metadata
from timeline.errors import StoreForeign, StoreOutdated, StoreTooNew


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
    assert schema_of(path) == schema_of(other)


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
