"""Servers for tests: each is real, each test has a place of its own, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import amqp
import kombu
import pytest

from tests.servers import NAMES, REQUIRED, absence, own, place, runs, variable
from tests.servers.processes import Process
from tests.servers.records import Record
from timeline import drivers
from timeline.drivers.conformance.history import VM, event
from timeline.errors import StoreError, StoreNotFound

ROOT = Path(__file__).parents[2]
TEST = """
from tests.servers import place

def test_one():
    with place("mongodb"):
        pass

def test_other():
    with place("mongodb"):
        pass
"""

EACH = [name for name in NAMES if name != "ferretdb"]
on_each_server = pytest.mark.parametrize("name", EACH)
on_each_store = pytest.mark.parametrize("name", [name for name in EACH if name != "rabbitmq"])


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMELINE_TEST_SERVERS", str(tmp_path / "empty"))
    monkeypatch.delenv(variable("mongodb"), raising=False)
    monkeypatch.delenv(REQUIRED, raising=False)


def ran(test: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A run of pytest on one file, as that of all tests."""
    (folder / "test_it.py").write_text(test)
    settings = [
        "-c",
        f"{ROOT}/pyproject.toml",
        "--rootdir",
        str(ROOT),
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.conftest",
    ]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *settings, folder / "test_it.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


class TestAbsentServer:
    def test_its_tests_are_skipped_and_the_run_says_so_with_the_command_that_brings_it(
        self, nothing_installed: None, tmp_path: Path
    ) -> None:
        run = ran(TEST, tmp_path)
        assert run.returncode == 0, run.stdout
        assert "2 skipped" in run.stdout
        assert "passed" not in run.stdout
        [line] = [line for line in run.stdout.splitlines() if line.startswith("not run: ")]
        assert line.startswith("not run: 2 tests on mongodb: no mongodb here")
        assert line.endswith("make servers SERVERS=mongodb brings it")

    def test_its_tests_fail_where_servers_are_required(
        self, nothing_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(REQUIRED, "1")
        run = ran(TEST, tmp_path)
        assert run.returncode == 1, run.stdout
        assert "2 failed" in run.stdout
        assert "make servers SERVERS=mongodb brings it" in run.stdout

    def test_what_another_recipe_has_made_does_not_count(self, nothing_installed: None, tmp_path: Path) -> None:
        (tmp_path / "empty" / "mongodb").mkdir(parents=True)
        (tmp_path / "empty" / "mongodb" / "installed").write_text("by an older recipe")
        said = absence("mongodb")
        assert said is not None
        assert said.startswith("no mongodb here")


class TestPlace:
    @on_each_store
    def test_each_is_empty_whatever_the_others_hold(self, name: str) -> None:
        with place(name) as one, place(name) as other:
            with closing(drivers.open(one)) as driver:
                driver.prepare()
                driver.append([event(1)])
                assert list(driver.events([VM])) == [event(1)]
            with closing(drivers.open(other)) as driver, pytest.raises(StoreNotFound):
                driver.version()

    @on_each_store
    def test_a_server_that_is_named_is_used_and_nothing_stays_there(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with own(name) as server:
            monkeypatch.setenv(variable(name), server.url)
            with place(name) as url:
                assert url.rpartition("/")[0] == server.url.rpartition("/")[0]
                with closing(drivers.open(url)) as driver:
                    driver.prepare()
            with closing(drivers.open(url)) as driver, pytest.raises(StoreError):
                driver.version()

    def test_two_virtual_hosts_of_one_broker_know_nothing_of_each_other(self) -> None:
        with place("rabbitmq") as one, place("rabbitmq") as other:
            with kombu.Connection(one) as connection:
                kombu.Queue("q", durable=True)(connection.channel()).declare()
            with kombu.Connection(other) as connection, pytest.raises(amqp.NotFound):
                connection.channel().queue_declare("q", passive=True)
        with pytest.raises(amqp.NotAllowed), kombu.Connection(one) as connection:
            connection.connect()


class TestRun:
    def test_what_a_killed_run_has_left_is_ended_by_the_next(self) -> None:
        if (absent := absence("mongodb")) is not None:
            pytest.skip(absent)
        program = "from tests.servers import own; o = own('mongodb'); print(o.__enter__().pid, flush=True); input()"
        environment = {name: value for name, value in os.environ.items() if name != "TIMELINE_TEST_SERVERS_RUN"}
        with subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as run:
            assert run.stdout is not None
            left = Process.of(int(run.stdout.readline()))
            [record] = [record for record in Record.all() if left in record.processes]
            run.kill()
        assert left.runs()
        assert record.folder.exists()
        runs.end_stale()
        assert left.has_ended(within=20)
        assert not record.folder.exists()
        assert record not in [*Record.all()]

    def test_a_server_of_a_run_that_goes_on_is_left_alone(self) -> None:
        with own("mongodb") as server:
            runs.end_stale()
            assert server.runs()

    def test_a_process_that_only_has_the_id_of_another_is_never_touched(self) -> None:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
            there = Process.of(stranger.pid)
            gone = Process(there.pid, there.since - 1)
            assert not gone.runs()
            gone.send(signal.SIGKILL)
            gone.end(signal.SIGKILL, within=0)
            assert there.runs()
            stranger.kill()


class TestOwn:
    @on_each_server
    def test_its_address_outlives_a_stop_and_a_kill(self, name: str) -> None:
        with own(name) as server:
            folder, url, first = server.folder, server.url, server.pid
            server.stop()
            assert not server.runs()
            server.start()
            assert server.runs()
            assert server.pid != first
            server.kill()
            assert not server.runs()
            server.start()
            assert (server.url, server.folder) == (url, folder)
            server.ask()
        assert not server.runs()
        assert not folder.exists()
