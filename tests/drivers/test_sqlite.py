"""SQLite's own: its file, its locks, its plans, and all that can be wrong with them."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest

from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance
from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.conformance.refusing import CALLS
from timeline.drivers.sql.schema import REVISION
from timeline.drivers.sql.sqlite import Sqlite
from timeline.errors import (
    StoreCorrupt,
    StoreError,
    StoreForeign,
    StoreNotFound,
    StoreUrlError,
)
from timeline.model import Phase, Scope

UUID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


class TestSqlite(DriverConformance):
    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        with TemporaryDirectory() as folder:
            yield lambda: drivers.open(f"sqlite:///{folder}/timeline.db")


class TestUrl:
    @pytest.mark.parametrize(
        "url", ["sqlite:", "sqlite:timeline.db", "sqlite://", "sqlite://timeline.db", "sqlite:///"]
    )
    def test_a_url_without_a_file_is_told_how_to_name_one(self, url: str) -> None:
        with pytest.raises(StoreUrlError, match="names no file: sqlite:///timeline"):
            drivers.open(url)

    def test_sqlites_own_store_in_memory_is_ours(self) -> None:
        with pytest.raises(StoreUrlError, match="a store in memory is memory:"):
            drivers.open("sqlite:///:memory:")

    @pytest.mark.parametrize("value", ["", "soon", "-1", "inf", "nan", "1e400", "1,5"])
    def test_the_timeout_is_a_number_of_seconds(self, value: str) -> None:
        with pytest.raises(StoreUrlError, match="the timeout is a number of seconds"):
            drivers.open(f"sqlite:///timeline.db?timeout={value}")

    def test_an_unknown_option_is_refused_by_name(self) -> None:
        with pytest.raises(StoreUrlError, match="mode is no option of SQLite; timeout is"):
            drivers.open("sqlite:///timeline.db?timeout=1&mode=ro")

    def test_a_file_name_with_nul_is_refused(self) -> None:
        with pytest.raises(StoreUrlError, match="NUL"):
            drivers.open("sqlite:///time\0line.db")

    @pytest.mark.parametrize(
        "name", ["with space.db", "a#b.db", "50%25.db", "&x=1;'\".db", "é😀.db", os.fsdecode(b"\xff.db"), "-", "a\nb"]
    )
    def test_any_file_name_will_do(self, name: str, tmp_path: Path) -> None:
        with closing(drivers.open(f"sqlite:///{tmp_path}/{name}")) as driver:
            driver.prepare()
            driver.append([event(1)])
            assert list(driver.events([VM])) == [event(1)]
            assert {os.fsdecode(name), f"{name}-wal", f"{name}-shm"} == set(os.listdir(tmp_path))

    def test_a_relative_file_stays_where_it_was_when_the_url_was_opened(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with closing(drivers.open("sqlite:///timeline.db")) as driver:
            monkeypatch.chdir("/")
            driver.prepare()
            assert (tmp_path / "timeline.db").exists()


class TestNoStore:
    @every_call
    def test_a_store_that_was_never_made_names_the_command_and_is_not_made(
        self, call: Callable[[Driver], object], url: str, tmp_path: Path
    ) -> None:
        with closing(drivers.open(url)) as driver, pytest.raises(StoreNotFound) as caught:
            call(driver)
        assert (
            str(caught.value) == f"{tmp_path}/timeline.db: no store is there yet; timeline init --store {url} makes one"
        )
        assert os.listdir(tmp_path) == []

    def test_the_command_is_one_that_a_shell_understands(self, tmp_path: Path) -> None:
        with pytest.raises(StoreNotFound, match=re.escape(f"init --store 'sqlite:///{tmp_path}/a b' makes")):
            drivers.open(f"sqlite:///{tmp_path}/a b").version()

    def test_an_empty_file_is_no_store_yet_and_can_be_made_one(self, url: str, path: Path) -> None:
        path.touch()
        driver = drivers.open(url)
        with pytest.raises(StoreNotFound, match=f"the file is empty.*timeline init --store {url}"):
            driver.version()
        driver.prepare()
        driver.append([event(1)])
        driver.close()

    def test_a_database_without_tables_is_no_store_yet_and_can_be_made_one(self, url: str, path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 7")
        driver = drivers.open(url)
        with pytest.raises(StoreNotFound, match="nothing is in there"):
            driver.version()
        driver.prepare()
        driver.append([event(1)])
        driver.close()

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        driver = drivers.open(f"sqlite:///{tmp_path}/no/such/timeline.db")
        with pytest.raises(StoreNotFound, match="no store is there yet"):
            driver.version()
        with pytest.raises(StoreNotFound, match=f"there is no folder {tmp_path}/no/such; make it first"):
            driver.prepare()

    def test_a_file_where_a_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        driver = drivers.open(f"sqlite:///{tmp_path}/file/timeline.db")
        with pytest.raises(StoreNotFound):
            driver.version()
        with pytest.raises(StoreNotFound, match="there is no folder"):
            driver.prepare()

    def test_a_link_leads_to_the_store(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "timeline.db").symlink_to(tmp_path / "disk" / "real.db")
        driver = drivers.open(f"sqlite:///{tmp_path}/timeline.db")
        with pytest.raises(StoreNotFound):
            driver.version()
        driver.prepare()
        driver.append([event(1)])
        assert sorted(os.listdir(tmp_path / "disk")) == ["real.db", "real.db-shm", "real.db-wal"]
        driver.close()

    def test_a_folder_is_no_store(self, tmp_path: Path) -> None:
        driver = drivers.open(f"sqlite:///{tmp_path}")
        for call in (driver.version, driver.prepare):
            with pytest.raises(StoreError, match="a store is a file, and this is a folder"):
                call()

    def test_a_pipe_is_no_store(self, url: str, path: Path) -> None:
        os.mkfifo(path)
        driver = drivers.open(url)
        for call in (driver.version, driver.prepare):
            with pytest.raises(StoreError, match="a store is a file, and this is something else"):
                call()

    def test_a_closed_store_says_so(self, driver: Driver) -> None:
        driver.close()
        with pytest.raises(StoreError, match="was closed"):
            driver.version()


class TestWrongFile:
    @every_call
    def test_a_text_file_is_no_database(self, call: Callable[[Driver], object], url: str, path: Path) -> None:
        path.write_text("not a database, " * 1_000)
        with pytest.raises(StoreCorrupt, match="this is no SQLite database, or a damaged one"):
            call(drivers.open(url))

    def test_a_text_file_is_left_alone(self, url: str, path: Path) -> None:
        path.write_text("precious")
        with pytest.raises(StoreCorrupt):
            drivers.open(url).prepare()
        assert path.read_text() == "precious"

    def test_the_database_of_another_program_is_left_alone(self, url: str, path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE accounts (x)")
        before = path.read_bytes()
        driver = drivers.open(url)
        for call in (driver.version, driver.prepare):
            with pytest.raises(StoreForeign, match=r"was not made by this program.*accounts"):
                call()
        driver.close()
        assert path.read_bytes() == before

    @pytest.mark.parametrize("revisions", [["ae1027a6acf"], ["1"], ["00001"], ["٠٠٠١"], [""], [], ["0001", "0002"]])
    def test_the_revisions_of_another_program_are_foreign(self, url: str, path: Path, revisions: list[str]) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE alembic_version (version_num)")
            database.execute("CREATE TABLE accounts (x)")
            database.executemany("INSERT INTO alembic_version VALUES (?)", [(revision,) for revision in revisions])
            database.commit()
        driver = drivers.open(url)
        for call in (driver.version, driver.prepare):
            with pytest.raises(StoreForeign, match="was not made by this program"):
                call()

    def test_our_revision_without_our_tables_is_foreign(self, url: str, path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.executescript(
                f"CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('{REVISION}')"
            )
        with pytest.raises(StoreForeign, match="tables of ours are missing"):
            drivers.open(url).prepare()

    def test_other_columns_than_ours_are_foreign(self, driver: Driver, path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("ALTER TABLE writer RENAME COLUMN changes TO commits")
        with pytest.raises(StoreForeign, match="the tables are not as this program makes them"):
            driver.version()

    def test_a_row_that_refers_to_nothing_is_corrupt(self, driver: Driver, path: Path) -> None:
        driver.append([event(1)])
        with closing(sqlite3.connect(path)) as database:
            database.execute("DELETE FROM body")
            database.commit()
        with pytest.raises(StoreCorrupt, match="refer to something that is not in the store"):
            list(driver.events([VM]))

    @pytest.mark.parametrize("cut", [100, 5_000, 20_000, 60_000, 100_000])
    def test_a_file_that_was_cut_is_corrupt(self, driver: Driver, url: str, path: Path, cut: int) -> None:
        driver.append([event(at, at, of=number(at)) for at in range(500)])
        driver.close()
        os.truncate(path, cut)
        with pytest.raises(StoreCorrupt, match="damaged"):
            list(drivers.open(url).events(Scope()))
        with pytest.raises(StoreError):
            drivers.open(url).append([event(at, "new", of=number(at)) for at in range(500)])

    def test_damaged_pages_are_corrupt(self, driver: Driver, url: str, path: Path) -> None:
        driver.append([event(at, at, of=number(at)) for at in range(500)])
        driver.close()
        whole = path.read_bytes()
        for first in range(1, 12):
            damaged = bytearray(whole)
            damaged[first * 8_192 :] = b"\xab" * len(damaged[first * 8_192 :])
            path.write_bytes(damaged)
            with closing(drivers.open(url)) as again, pytest.raises(StoreError) as caught:
                list(again.events(Scope()))
            assert isinstance(caught.value, StoreCorrupt | StoreForeign)


class TestFile:
    def test_the_files_are_for_the_owner_alone(self, url: str, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            with closing(drivers.open(url)) as driver:
                driver.prepare()
                driver.append([event(1)])
                modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in os.listdir(tmp_path)}
        finally:
            os.umask(before)
        assert modes == {"timeline.db": 0o600, "timeline.db-wal": 0o600, "timeline.db-shm": 0o600}

    def test_commits_are_synchronous_and_go_to_the_log(self, url: str, path: Path) -> None:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
        with closing(Sqlite(url, str(path), 1.0).connect(writing=True)) as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_closing_leaves_nothing_open(self, driver: Driver, path: Path) -> None:
        driver.append([event(at, of=number(at)) for at in range(2_500)])
        for _ in range(3):
            next(driver.events(Scope()))
            next(driver.events([number(1), number(2)]))
        for _ in range(20):
            thread = Thread(target=lambda: list(driver.events([number(1)])))
            thread.start()
            thread.join()
        assert len(_open_files(path)) < 20
        driver.close()
        assert _open_files(path) == []

    def test_an_iterator_that_outlives_the_driver_takes_its_file_with_it(self, driver: Driver, path: Path) -> None:
        driver.append([event(at, of=number(at)) for at in range(2_500)])
        late = driver.events(Scope())
        next(late)
        driver.close()
        assert _open_files(path) != []
        del late
        assert _open_files(path) == []

    def test_message_ids_that_are_uuids_take_16_bytes(self, driver: Driver, path: Path) -> None:
        driver.append([event(1, message_id=UUID), event(2, message_id=UUID.upper()), event(3)])
        with closing(sqlite3.connect(path)) as database:
            lengths = database.execute("SELECT length(message_id) FROM event ORDER BY occurred_at").fetchall()
        assert lengths == [(16,), (37,), (None,)]

    def test_a_body_is_stored_once(self, driver: Driver, path: Path) -> None:
        large = "x" * 5_000
        driver.append([event(at, large, of=number(at % 3), phase=phase) for at, phase in enumerate([*Phase] * 3)])
        driver.close()
        assert path.read_bytes().count(large.encode()) == 1

    def test_texts_that_are_no_unicode_come_back_from_quarantine(self, driver: Driver) -> None:
        named = record("aa", origin=os.fsdecode(b"/feeds/\xff.jsonl:1"))
        driver.put([named])
        assert list(driver.list()) == [named]


def test_the_library_answers_from_a_store_in_a_fresh_process(driver: Driver, url: str) -> None:
    driver.append([event(1)])
    code = f"from timeline import drivers; print(drivers.open({url!r}).summary().events)"
    assert subprocess.check_output([sys.executable, "-W", "error", "-c", code]) == b"1\n"


def _open_files(path: Path) -> list[str]:
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:
            continue  # the one that listed them
    return [link for link in links if link.startswith(str(path))]
