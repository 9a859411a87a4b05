"""Several processes for one work: what they did is summed, who dies is started again, all end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.cli import works
from tests.cli.works import Room
from timeline.cli.workers import Workers
from timeline.cli.working import Ended
from timeline.engine import Counts
from timeline.errors import BusDenied, StoreFull, TimelineError
from timeline.metrics import health
from timeline.metrics.serving import Serving

ROOT = Path(__file__).parents[2]
PAUSES = (0.01, 0.02, 60.0)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A folder in which workers leave word."""
    return Room(tmp_path)


def workers(room: Room, count: int, work: Callable[..., Counts], **said: Any) -> Workers[Room]:
    """Workers that are started again soon."""
    return Workers(room, count, work, **({"pauses": PAUSES} | said))


@contextmanager
def running(fleet: Workers[Room]) -> Iterator[tuple[threading.Event, list[Counts]]]:
    """Workers that run meanwhile, and are stopped at the end: the event that stops them, and what came of them."""
    stopping = threading.Event()
    came: list[Counts] = []
    thread = threading.Thread(target=lambda: came.append(fleet.run(stopping)))
    thread.start()
    try:
        yield stopping, came
    finally:
        stopping.set()
        thread.join(60)
    assert not thread.is_alive()


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it did not come to that"
        sleep(0.01)


def is_gone(process: int) -> bool:
    """Whether there is no such process, or only what is left of one until somebody asks for its exit code."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_counts_of_workers_that_end_are_summed(room: Room) -> None:
    fleet = workers(room, 3, works.count)
    assert fleet.run(threading.Event()) == Counts(notifications=6, in_scope=6, events=6)
    assert [each.tally.in_scope for each in fleet.told()] == [1, 2, 3]
    assert len(room.read("began")) == 3
    assert os.getpid() not in room.read("began")


def test_a_worker_that_dies_is_started_again_and_what_it_stored_still_counts(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = workers(room, 1, works.die_twice)
    counts = fleet.run(threading.Event())
    assert (counts.notifications, counts.in_scope) == (7, 7)  # three of each that died, and one that the last told
    (told,) = fleet.told()
    assert told.tally.read == 9
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "worker 1 was ended by SIGKILL; it is started again in 0.01 s",
        "worker 1 was ended by SIGKILL; it is started again in 0.02 s",
    ]


def test_an_error_that_nobody_expected_is_logged_by_kind_and_place_and_the_worker_is_started_again(
    room: Room, capfd: pytest.CaptureFixture[str]
) -> None:
    fleet = workers(room, 1, works.fail)
    with running(fleet):
        until(lambda: room.read("ready"))
    said = capfd.readouterr().err
    assert "timeline[1]: the program failed" in said
    assert "LookupError" in said
    assert "tests.cli.works" in said
    assert "canary" not in said
    assert "Traceback" not in said


def test_an_error_of_ours_before_any_was_ready_ends_all_and_is_raised(room: Room) -> None:
    with pytest.raises(BusDenied, match="the broker knows no user of this name"):
        workers(room, 2, works.be_denied).run(threading.Event())


def test_the_same_error_of_one_that_was_ready_is_a_reason_to_try_again(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    with running(workers(room, 1, works.be_denied_later)):
        until(lambda: len(room.read("ready")) == 2)
    assert "worker 1 has ended: the broker knows no user of this name; it is started again" in caplog.text


@pytest.mark.parametrize(
    ("kind", "raised"),
    [("StoreFull", StoreFull), ("NotificationError", TimelineError), ("SomethingOfAnother", TimelineError)],
)
def test_an_error_is_told_between_processes_by_kind_and_text(kind: str, raised: type[TimelineError]) -> None:
    failure = Ended(kind=kind, text="no room is left").failure()
    assert (type(failure), str(failure)) == (raised, "no room is left")


def test_workers_that_are_told_to_stop_end_with_their_counts(room: Room) -> None:
    with running(workers(room, 2, works.wait)) as (stopping, came):
        until(lambda: len(room.read("ready")) == 2)
        stopping.set()
        until(lambda: came)
    assert came == [Counts(notifications=2, out_of_scope=2)]
    assert room.read("stopped") == room.read("ready")


def test_workers_that_are_told_to_stop_before_they_have_begun_end_too(room: Room) -> None:
    stopping = threading.Event()
    stopping.set()
    assert workers(room, 2, works.wait).run(stopping) == Counts()
    assert room.read("ready") == []


def test_a_worker_that_does_not_end_in_time_is_killed(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    with running(workers(room, 2, works.hang, patience=0.3)) as (stopping, came):
        until(lambda: len(room.read("ready")) == 2)
        stopping.set()
        until(lambda: came)
    assert came == [Counts()]
    assert all(map(is_gone, room.read("ready")))
    assert caplog.text.count("did not end in time and is killed") == 2


def test_a_worker_that_is_done_and_does_not_end_is_killed_and_its_counts_are_kept(room: Room) -> None:
    fleet = workers(room, 1, works.linger, patience=0.3)
    assert fleet.run(threading.Event()) == Counts(notifications=1, in_scope=1, events=1)


def test_one_worker_that_somebody_else_told_to_stop_is_started_again(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    with running(workers(room, 2, works.wait)) as (_, came):
        until(lambda: len(room.read("ready")) == 2)
        os.kill(room.read("ready")[0], signal.SIGTERM)
        until(lambda: len(room.read("ready")) == 3)
    assert came == [Counts(notifications=3, out_of_scope=3)]
    assert "was told to stop, and not from here" in caplog.text


def test_all_are_ready_when_each_is_and_one_that_died_is_named(room: Room) -> None:
    fleet = workers(room, 2, works.wait, pauses=(60.0,))
    assert health.obstacles(fleet.told()) == [
        "worker 1: the process does not run",
        "worker 2: the process does not run",
    ]
    with running(fleet):
        until(lambda: not health.obstacles(fleet.told()))
        killed = next(room.folder.glob("ready.2.*"))
        os.kill(int(killed.read_text()), signal.SIGKILL)
        until(lambda: health.obstacles(fleet.told()))
        assert health.obstacles(fleet.told()) == ["worker 2: the process does not run"]
        assert health.faults(fleet.told()) == []


def test_a_worker_that_hangs_is_told_by_its_loop_that_does_not_turn(room: Room) -> None:
    fleet = workers(room, 2, works.wait)
    with running(fleet):
        until(lambda: not health.obstacles(fleet.told()))
        hanging = int(next(room.folder.glob("ready.1.*")).read_text())
        os.kill(hanging, signal.SIGSTOP)
        until(lambda: health.faults(fleet.told(), stuck_after=1.0))
        (fault,) = health.faults(fleet.told(), stuck_after=1.0)
        assert fault.startswith("worker 1: the run loop has not turned for")
        os.kill(hanging, signal.SIGCONT)
        until(lambda: not health.faults(fleet.told(), stuck_after=1.0))


def test_the_numbers_of_all_come_out_of_one_address(room: Room) -> None:
    from urllib.request import urlopen

    fleet = workers(room, 2, works.wait)
    with Serving("127.0.0.1", 0, fleet.told) as serving, running(fleet):
        until(lambda: not health.obstacles(fleet.told()))
        with urlopen(f"{serving.url}/metrics") as answer:
            assert b"\ntimeline_workers 2.0\n" in answer.read()
        with urlopen(f"{serving.url}/readyz") as answer:
            assert answer.status == 200


PROGRAM = """
import signal, sys, threading
from pathlib import Path
from tests.cli import works
from timeline.cli.workers import Workers

if __name__ == "__main__":
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    room = works.Room(Path(sys.argv[1]))
    print(Workers(room, 2, works.wait, passwords=frozenset({"canary-password"})).run(stopping).notifications)
"""


@pytest.fixture
def parent(room: Room, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs two workers, all of them in a group of their own, and all ready."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, str(program), str(room.folder)]
    with subprocess.Popen(
        arguments, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            until(lambda: len(room.read("ready")) == 2)
            yield process
        finally:
            process.kill()
    # nobody reads what they log, and nobody is left to tell them to stop
    until(lambda: all(map(is_gone, room.read("ready"))))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("to_all", [False, True], ids=["to-the-parent", "to-the-group"])
def test_a_signal_ends_all_of_them_well(
    parent: subprocess.Popen[str], room: Room, number: signal.Signals, to_all: bool
) -> None:
    (os.killpg if to_all else os.kill)(parent.pid, number)
    out, err = parent.communicate(timeout=30)
    assert (parent.returncode, out, err) == (0, "2\n", "")
    assert all(map(is_gone, room.read("ready")))


def test_workers_whose_parent_is_killed_stop_by_themselves(parent: subprocess.Popen[str], room: Room) -> None:
    parent.kill()
    until(lambda: len(room.read("stopped")) == 2)
    until(lambda: all(map(is_gone, room.read("ready"))))


def test_no_list_of_processes_shows_the_settings_or_the_passwords(parent: subprocess.Popen[str], room: Room) -> None:
    for process in room.read("ready"):
        line = Path(f"/proc/{process}/cmdline").read_bytes()
        assert b"canary" not in line
        assert bytes(room.folder) not in line
