"""A store that cannot be written can be read, and never shows less than was committed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.drivers.processes import Bell, Child, as_nobody
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.history import event, number
from timeline.drivers.conformance.quarantine import record
from timeline.model import Outcome, Scope

STORED = 120


@pytest.fixture
def path() -> Iterator[Path]:
    """A file in a folder that others may enter, which pytest's own are not."""
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder, "timeline.db")


@pytest.fixture
def writer(path: Path) -> Iterator[Driver]:
    with closing(drivers.open(f"sqlite:///{path}")) as driver:
        driver.prepare()
        driver.append([event(at, of=number(at)) for at in range(STORED)])
        driver.put([record("aa")])
        yield driver


def read(path: Path) -> Callable[[], str]:
    def work() -> str:
        with closing(drivers.open(f"sqlite:///{path}")) as driver:
            events = len(list(driver.events(Scope())))
            counted = driver.summary().events
            assert counted == events
            changed = len(driver.changed("0") or [])
            return f"{events} events, {len(driver.list())} in quarantine, {changed} changed, at {driver.version()}"

    return work


def closed(driver: Driver) -> str:
    """The version of a store of which this was the last to be closed."""
    version = driver.version()
    driver.close()
    return version


def call(path: Path, wanted: Callable[[Driver], object]) -> Callable[[], None]:
    def work() -> None:
        with closing(drivers.open(f"sqlite:///{path}")) as driver:
            wanted(driver)

    return work


class TestForbidden:
    """The file or its folder may not be written by this user."""

    @pytest.mark.parametrize("mode", [0o755, 0o555])
    def test_it_can_be_read(self, writer: Driver, path: Path, mode: int) -> None:
        version = closed(writer)
        path.chmod(0o444)
        path.parent.chmod(mode)
        assert as_nobody(read(path)) == f"{STORED} events, 1 in quarantine, {STORED} changed, at {version}"
        if mode == 0o555:
            assert os.listdir(path.parent) == ["timeline.db"]

    def test_a_file_that_may_not_be_written_in_a_folder_that_may(self, writer: Driver, path: Path) -> None:
        version = closed(writer)
        path.chmod(0o444)
        path.parent.chmod(0o777)
        assert as_nobody(read(path)) == f"{STORED} events, 1 in quarantine, {STORED} changed, at {version}"

    def test_a_folder_that_may_not_be_written_around_a_file_that_may(self, writer: Driver, path: Path) -> None:
        version = closed(writer)
        path.chmod(0o666)
        path.parent.chmod(0o555)
        assert as_nobody(read(path)) == f"{STORED} events, 1 in quarantine, {STORED} changed, at {version}"

    @pytest.mark.parametrize(
        "wanted",
        [
            lambda driver: driver.append([event(1)]),
            lambda driver: driver.append([event(1, of=number(1))]),
            lambda driver: driver.put([record("aa")]),
            lambda driver: driver.settle("aa", Outcome.STORED, 1),
        ],
    )
    def test_writing_is_refused_in_a_sentence(
        self, writer: Driver, path: Path, wanted: Callable[[Driver], object]
    ) -> None:
        writer.close()
        path.chmod(0o444)
        said = as_nobody(call(path, wanted))
        assert said.startswith(f"StoreReadOnly: {path}: the store cannot be written")
        assert "Traceback" not in said

    def test_preparing_what_is_up_to_date_is_no_writing(self, writer: Driver, path: Path) -> None:
        writer.close()
        path.chmod(0o444)
        assert as_nobody(call(path, lambda driver: driver.prepare())) == "None"

    def test_a_store_cannot_be_made_in_such_a_folder(self, path: Path) -> None:
        path.parent.chmod(0o555)
        said = as_nobody(call(path, lambda driver: driver.prepare()))
        assert said == f"StoreReadOnly: {path}: cannot be made: Permission denied"

    def test_an_empty_file_that_may_not_be_written_cannot_be_made_a_store(self, path: Path) -> None:
        path.touch(0o444)
        said = as_nobody(call(path, lambda driver: driver.prepare()))
        assert said.startswith(f"StoreReadOnly: {path}: no store can be made there")

    def test_a_file_that_may_not_even_be_read(self, writer: Driver, path: Path) -> None:
        writer.close()
        path.chmod(0o000)
        said = as_nobody(read(path))
        assert said == f"StoreError: {path}: may not be read by this user; ask who owns it, or run as its owner"

    def test_a_folder_that_may_not_be_entered(self, writer: Driver, path: Path) -> None:
        writer.close()
        path.parent.chmod(0o000)
        assert as_nobody(read(path)) == f"StoreError: {path}: cannot be looked at: Permission denied"

    def test_what_others_store_meanwhile_is_seen(self, writer: Driver, path: Path) -> None:
        writer.close()
        path.chmod(0o444)
        path.parent.chmod(0o555)
        read_once, written = Bell(), Bell()

        def work() -> str:
            with closing(drivers.open(f"sqlite:///{path}")) as driver:
                before = len(list(driver.events(Scope())))
                read_once.ring()
                written.wait()
                return f"{before}, then {len(list(driver.events(Scope())))}"

        def write() -> None:
            read_once.wait()
            path.parent.chmod(0o755)
            path.chmod(0o644)
            with closing(drivers.open(f"sqlite:///{path}")) as driver:
                driver.append([event(1_000 + at, at, of=number(at)) for at in range(STORED)])
            written.ring()

        other = Child(write)
        assert as_nobody(work) == f"{STORED}, then {2 * STORED}"
        other.report()


class TestLogBeside:
    """The newest commits are in the log: they are shown, or the answer is refused."""

    @pytest.fixture
    def beside(self, writer: Driver, path: Path) -> Iterator[Path]:
        """The store while another process has it open and has just committed."""
        writer.close()
        committed, done = Bell(), Bell()

        def work() -> None:
            with closing(drivers.open(f"sqlite:///{path}")) as driver:
                driver.append([event(-at, of=number(at)) for at in range(1, STORED)])
                committed.ring()
                done.wait()

        other = Child(work)
        committed.wait()
        yield path
        done.ring()
        assert other.report() == "None"

    def test_beside_a_writer_all_that_it_committed_is_read(self, beside: Path) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{beside}{end}").chmod(0o444)
        with closing(drivers.open(f"sqlite:///{beside}")) as owner:
            version = owner.version()
        assert as_nobody(read(beside)) == f"{2 * STORED - 1} events, 1 in quarantine, {STORED} changed, at {version}"

    def test_a_log_that_may_not_be_read_is_never_passed_over(self, beside: Path) -> None:
        beside.chmod(0o444)
        Path(f"{beside}-wal").chmod(0o000)
        said = as_nobody(read(beside))
        assert said.startswith(f"StoreReadOnly: {beside}: the log beside it ({beside}-wal) holds commits")

    def test_a_log_is_found_through_a_link(self, beside: Path) -> None:
        link = beside.parent / "link.db"
        link.symlink_to(beside)
        beside.chmod(0o444)
        Path(f"{beside}-wal").chmod(0o000)
        assert as_nobody(read(link)).startswith(f"StoreReadOnly: {link}: the log beside it")

    def test_a_log_without_its_index_is_never_passed_over(self, beside: Path) -> None:
        left = beside.parent / "left.db"
        for end in ("", "-wal"):  # what a killed writer leaves on a medium that is then mounted for reading
            Path(f"{left}{end}").write_bytes(Path(f"{beside}{end}").read_bytes())
            Path(f"{left}{end}").chmod(0o644)
        left.parent.chmod(0o555)
        said = as_nobody(read(left))
        left.parent.chmod(0o755)
        assert said.startswith(f"StoreReadOnly: {left}: the log beside it ({left}-wal) holds commits")
        with closing(drivers.open(f"sqlite:///{left}")) as owner:
            owner.append([event(0)])
            assert len(list(owner.events(Scope()))) == 2 * STORED - 1 + 1


MOUNTED = """
mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && exec {python} -c '
from contextlib import closing
from timeline import drivers
from timeline.drivers.conformance.history import event
from timeline.errors import StoreReadOnly
from timeline.model import Scope
with closing(drivers.open("sqlite:///{folder}/timeline.db")) as driver:
    print(len(list(driver.events(Scope()))), driver.summary().events)
    driver.prepare()
    for call in (lambda: driver.append([event(1)]), drivers.open("sqlite:///{folder}/new.db").prepare):
        try:
            call()
        except StoreReadOnly as error:
            print(error)
'
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_read_only_medium(writer: Driver, path: Path) -> None:
    writer.close()
    script = MOUNTED.format(folder=path.parent, python=sys.executable)
    said = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
    assert said.stderr == ""
    counts, append, prepare = said.stdout.splitlines()
    assert counts == f"{STORED} {STORED}"
    assert append.startswith(f"{path}: the store cannot be written: its file, ")
    assert prepare == f"{path.parent}/new.db: cannot be made: Read-only file system"
