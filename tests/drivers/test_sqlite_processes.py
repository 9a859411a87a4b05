"""Several processes on one SQLite store, forks, kills, and a medium without room."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.drivers.processes import Bell, Child
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.sql.schema import REVISION
from timeline.errors import StoreBusy, StoreFull
from timeline.model import Scope


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
        held = Bell()

        def hold() -> str:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                held.ring()
                other.execute("CREATE TABLE another (x)")
                other.execute("COMMIT")
            return "done"

        holder = Child(hold)
        held.wait()
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

        start = Bell()

        def prepare() -> str:
            start.wait()
            with closing(drivers.open(url)) as own:
                own.prepare()
                own.append([event(1)])
                return own.summary().revision or ""

        children = [Child(prepare) for _ in range(4)]
        for _ in children:
            start.ring()
        assert [child.report() for child in children] == [REVISION] * 4

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
        appended, closed = Bell(), Bell()

        def work() -> str:
            driver.append([event(2)])
            appended.ring()
            closed.wait()
            driver.append([event(3)])
            return "done"

        child = Child(work)
        appended.wait()
        driver.close()
        with closing(drivers.open(url)) as another:
            another.append([event(4)])
        closed.ring()
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
