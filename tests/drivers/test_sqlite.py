"""SQLite's own: its file, its locks, its plans, and all that can be wrong with them."""

from __future__ import annotations

import os
import re
import resource
import signal
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

from tests.drivers.processes import Child
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.sql.driver import SqlDriver
from timeline.drivers.sql.sqlite import Sqlite
from timeline.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreForeign,
    StoreFull,
    StoreNotFound,
    StoreUrlError,
)
from timeline.model import Event, Outcome, Phase, Resource, Scope

UUID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

CALLS: dict[str, Callable[[Driver], object]] = {
    "append": lambda driver: driver.append([event(1)]),
    "events": lambda driver: list(driver.events([VM])),
    "scope": lambda driver: list(driver.events(Scope())),
    "resources": lambda driver: driver.resources(Scope()),
    "version": lambda driver: driver.version(),
    "summary": lambda driver: driver.summary(),
    "put": lambda driver: driver.put([record("aa")]),
    "list": lambda driver: driver.list(),
    "find": lambda driver: driver.find("aa"),
    "settle": lambda driver: driver.settle("aa", Outcome.STORED, 1),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "timeline.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def driver(url: str) -> Iterator[Driver]:
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        yield driver


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
                "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('0001')"
            )
        with pytest.raises(StoreForeign, match="tables of ours are missing"):
            drivers.open(url).prepare()

    def test_other_columns_than_ours_are_foreign(self, driver: Driver, path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("ALTER TABLE writer RENAME COLUMN commits TO changes")
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


class TestOtherProcesses:
    def test_a_store_that_another_process_writes_is_busy(self, driver: Driver, url: str, path: Path) -> None:
        driver.append([event(1)])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with closing(drivers.open(f"{url}?timeout=0")) as hasty:
                with pytest.raises(StoreBusy, match=r"for longer than the 0 s that we wait.*\?timeout=SECONDS"):
                    hasty.append([event(2)])
                assert list(hasty.events([VM])) == [event(1)]
                other.execute("COMMIT")
                hasty.append([event(2)])
        assert list(driver.events([VM])) == [event(1), event(2)]

    def test_an_append_waits_for_the_other_process(self, driver: Driver, path: Path) -> None:
        read, write = os.pipe()

        def hold() -> str:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                os.write(write, b"held")
                other.execute("CREATE TABLE another (x)")
                other.execute("COMMIT")
            return "done"

        holder = Child(hold)
        os.read(read, 4)
        driver.append([event(1)])
        assert holder.report() == "done"
        assert list(driver.events([VM])) == [event(1)]

    def test_two_processes_write_one_store(self, driver: Driver, url: str) -> None:
        history = [event(at, at % 9, of=number(at % 11), event_type=f"type.{at % 5}") for at in range(600)]

        def write(turn: int) -> str:
            with closing(drivers.open(url)) as own:
                stored = 0
                for first in range(0, 600, 50):
                    batch = history[first : first + 50] if turn else history[550 - first : 600 - first]
                    stored += own.append(batch).events or 0
            return str(stored)

        children = [Child(lambda turn=turn: write(turn)) for turn in range(2)]
        assert sum(int(child.report()) for child in children) == 600
        assert list(driver.events(Scope())) == wanted(history)

    def test_processes_that_prepare_at_once_all_succeed(self, url: str) -> None:
        import alembic.command  # noqa: F401 - so that the children meet

        read, write = os.pipe()

        def prepare() -> str:
            os.close(write)
            os.read(read, 1)
            with closing(drivers.open(url)) as own:
                own.prepare()
                own.append([event(1)])
                return own.summary().revision or ""

        children = [Child(prepare) for _ in range(4)]
        os.close(write)
        assert [child.report() for child in children] == ["0001"] * 4

    def test_what_was_appended_survives_kill_9(self, driver: Driver, url: str) -> None:
        read, write = os.pipe()

        def append_for_ever() -> None:
            with closing(drivers.open(url)) as own:
                for turn in range(10**9):
                    own.append([event(turn, n, of=number(n)) for n in range(40)])
                    os.write(write, b"%8d\n" % turn)

        child = Child(append_for_ever)
        with os.fdopen(read) as pipe:
            acknowledged = [int(pipe.readline()) for _ in range(25)][-1]
            os.kill(child.pid, signal.SIGKILL)
            child.report()
            os.close(write)
        found = list(driver.events(Scope()))
        assert len(found) % 40 == 0
        assert max(one.occurred_at for one in found) >= acknowledged
        assert driver.append([event(0, n, of=number(n)) for n in range(40)]).duplicates == 40

    def test_a_child_goes_on_when_its_parent_closes_the_store(self, driver: Driver, url: str) -> None:
        """With inherited connections the child's locks would be its parent's, and the log be deleted under it."""
        driver.append([event(1)])
        list(driver.events([VM]))
        to_child, from_parent = os.pipe()
        to_parent, from_child = os.pipe()

        def work() -> str:
            driver.append([event(2)])
            os.write(from_child, b"x")
            os.read(to_child, 1)
            driver.append([event(3)])
            return "done"

        child = Child(work)
        os.read(to_parent, 1)
        driver.close()
        with closing(drivers.open(url)) as another:
            another.append([event(4)])
        os.write(from_parent, b"x")
        assert child.report() == "done"
        with closing(drivers.open(url)) as after:
            assert [one.occurred_at for one in after.events([VM])] == [1, 2, 3, 4]

    def test_a_child_that_inherits_an_open_iterator_is_refused_and_the_parent_goes_on(self, driver: Driver) -> None:
        driver.append([event(at, of=number(at)) for at in range(5_000)])
        answer = driver.events(Scope())
        next(answer)

        def work() -> int:
            nonlocal answer
            del answer
            return len(list(driver.events(Scope())))

        assert "StoreError: this process was forked while its parent read the store" in Child(work).report()
        assert len(list(answer)) == 4_999
        assert Child(lambda: len(list(driver.events(Scope())))).report() == "5000"


FILL = """
import sys
from timeline import drivers
from timeline.drivers.conformance.history import event, number
from timeline.errors import StoreFull
from timeline.model import Scope
driver = drivers.open(f"sqlite:///{sys.argv[1]}/timeline.db")
driver.prepare()
done = 0
try:
    while done < 10_000:
        driver.append([event(done, "x" * 900 + str(done + n), of=number(n)) for n in range(20)])
        done += 20
except StoreFull as error:
    print(done == len(list(driver.events(Scope()))))
    print(str(error).partition(": ")[2].partition(" (")[0])
driver.close()
"""


class TestNoRoom:
    def test_a_file_that_may_not_grow_is_full_and_what_was_committed_is_safe(self, driver: Driver, url: str) -> None:
        driver.append([event(-1)])

        def fill() -> str:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does when it starts
            resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
            done = []
            with closing(drivers.open(url)) as own:

                def append_for_ever() -> None:
                    while len(done) < 1_000:
                        own.append([event(len(done), f"{'x' * 900} {len(done)} {n}", of=number(n)) for n in range(20)])
                        done.append(20)

                with pytest.raises(StoreFull, match="no room is left to write"):
                    append_for_ever()
                assert len(list(own.events(Scope(source="north")))) == sum(done)
            return str(len(done))

        batches = int(Child(fill).report())
        assert batches > 10
        driver.append([event(0)])
        assert len(list(driver.events(Scope()))) == batches * 20 + 2

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
    def test_a_full_medium(self, tmp_path: Path) -> None:
        script = f"mount -t tmpfs -o size=1m none {tmp_path} && exec {sys.executable} -c '{FILL}' {tmp_path}"
        said = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
        assert said.stderr == ""
        assert said.stdout.splitlines() == ["True", "no room is left to write"]

    def test_a_store_that_cannot_be_made_for_want_of_room(self, url: str) -> None:
        def prepare() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
            drivers.open(url).prepare()

        assert Child(prepare).report().startswith("StoreFull: ")
        with closing(drivers.open(url)) as driver:
            driver.prepare()
            driver.append([event(1)])


class Watched(Sqlite):
    """A store that notes the statements it is given."""

    def __init__(self, url: str, path: Path) -> None:
        super().__init__(url, str(path), 1.0)
        self.seen: list[str] = []

    def connect(self, *, writing: bool) -> sqlite3.Connection:
        connection = super().connect(writing=writing)
        connection.set_trace_callback(self.seen.append)
        return connection


class TestPlans:
    """What a question costs does not grow with what else is stored."""

    @pytest.fixture
    def watched(self, driver: Driver, url: str, path: Path) -> Iterator[tuple[SqlDriver, list[str]]]:
        driver.append([event(at, at % 3, of=number(at % 5)) for at in range(100)])
        database = Watched(url, path)
        with closing(SqlDriver(database)) as own:
            own.append([event(1, "warm", of=number(1))])
            list(own.events([number(1)]))
            database.seen.clear()
            yield own, database.seen

    @pytest.mark.parametrize("known_before", [None, 50])
    @pytest.mark.parametrize("last_per_body", [False, True])
    @pytest.mark.parametrize("scope", [None, Scope(), Scope(type="instance"), Scope(type="instance", source="north")])
    def test_events_are_sought_and_never_sorted(
        self,
        watched: tuple[SqlDriver, list[str]],
        path: Path,
        scope: Scope | None,
        last_per_body: bool,
        known_before: int | None,
    ) -> None:
        driver, seen = watched
        asked = [number(2)] if scope is None else scope
        found = list(driver.events(asked, until=60, known_before=known_before, last_per_body=last_per_body))
        assert found
        (statement,) = [text for text in seen if "FROM resource" in text]
        plan = _plan(path, statement)
        assert any(step.startswith("SEARCH event USING PRIMARY KEY (stream=?") for step in plan)
        assert not [step for step in plan if "TEMP B-TREE" in step or "AUTOMATIC" in step]
        scans = [step for step in plan if step.startswith("SCAN")]
        assert scans == (["SCAN resource USING COVERING INDEX resource_key"] if asked == Scope() else [])
        if last_per_body:
            assert any(step.startswith("SEARCH last USING PRIMARY KEY (stream=?") for step in plan)

    def test_one_resource_is_one_statement(self, watched: tuple[SqlDriver, list[str]]) -> None:
        driver, seen = watched
        list(driver.events([number(2)], last_per_body=True))
        assert len(seen) == 1

    def test_what_was_met_before_is_stored_without_a_read(self, watched: tuple[SqlDriver, list[str]]) -> None:
        driver, seen = watched
        driver.append([event(at, "warm", of=number(1)) for at in range(200, 220)])
        words = [text.split()[0] for text in seen]
        assert words == ["BEGIN", *["INSERT"] * 20, "UPDATE", "COMMIT"]

    def test_new_ids_are_found_without_a_scan(self, watched: tuple[SqlDriver, list[str]], path: Path) -> None:
        driver, seen = watched
        driver.append([event(1, "new", of=number(77), event_type="new")])
        reads = [text for text in seen if text.startswith("SELECT")]
        assert len(reads) == 7
        for text in reads:
            assert [step for step in _plan(path, text) if "SCAN" in step] == []
        assert all("ON CONFLICT" in text for text in seen if text.startswith("INSERT INTO event "))
        assert "IGNORE" not in " ".join(seen)

    def test_the_next_page_of_resources_is_sought(self, watched: tuple[SqlDriver, list[str]], path: Path) -> None:
        driver, seen = watched
        driver.resources(Scope(type="instance"), after=number(2), limit=2)
        (step,) = _plan(path, seen[-1])
        assert step.startswith("SEARCH resource USING COVERING INDEX resource_key (type=?")


class TestIds:
    def test_what_was_rolled_back_is_not_remembered(self, driver: Driver, url: str) -> None:
        """The ids that a failed append had taken are given out again: to others."""
        beyond = Event(number(1), 2**70, Phase.UPDATE, event(1, "new").body, 1, "type.new")
        with pytest.raises(OverflowError):
            driver.append([event(1, "new", of=number(1), event_type="type.other"), beyond])
        with closing(drivers.open(url)) as other:
            other.append([event(1, "quite other", of=number(2), event_type="type.third")])
        history = [event(1, "new", of=number(1), event_type="type.new"), event(2, "quite other", of=number(1))]
        driver.append(history)
        assert list(driver.events([number(1)])) == history

    def test_more_ids_than_are_remembered_are_found_again(self, driver: Driver) -> None:
        resources = [Resource(type="port", id=str(n)) for n in range(30_000)]
        for at in (1, 2):
            driver.append([event(at, of=one) for one in resources])
        counts = driver.append([event(2, of=one) for one in resources])
        assert (counts.events, counts.bodies, counts.duplicates) == (0, 0, 30_000)
        assert driver.summary().events == 60_000
        assert [one.occurred_at for one in driver.events([resources[0]])] == [1, 2]


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


def _plan(path: Path, statement: str) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}")]
