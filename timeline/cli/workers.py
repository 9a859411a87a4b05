"""Several processes that do the same work: started, watched over, started again when one dies, ended together.

They know nothing of each other. A worker tells this process by a pipe, several times a second, how it stands, and at
its end what it has done; so this process has the numbers of all, also of those that have died. Settings go to a worker
by a pipe too, so that no password stands in a list of processes.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
from collections.abc import Sequence
from multiprocessing import connection, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from timeline.cli import logs
from timeline.cli.working import Ended, Work, main, message_of
from timeline.engine import Counts
from timeline.errors import TimelineError
from timeline.metrics import Standing, Tally, Told

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds to wait before a worker is started again that has died once, twice, ...; the last is repeated. One that lived
for longer than the last is taken for one that has not died before."""

PATIENCE = 12.0
"""Seconds that a worker may take to end when it is told to, before it is killed."""

_GLANCE = 0.2
"""Seconds after which it is looked whether all is to stop."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)

Settings = TypeVar("Settings")


class Workers(Generic[Settings]):
    """``count`` processes, each of which calls ``work(settings, part)`` and ends with the counts that it returns.

    ``work`` is a function of a module, and ``settings`` can be pickled. ``part`` holds the event that says when to
    stop and the metrics to tell. ``log`` and ``passwords`` are those of :func:`timeline.cli.logs.written`.
    """

    def __init__(
        self,
        settings: Settings,
        count: int,
        work: Work[Settings],
        *,
        log: logs.Form = "text",
        passwords: frozenset[str] = frozenset(),
        pauses: Sequence[float] = PAUSES,
        patience: float = PATIENCE,
    ) -> None:
        self._given = (work, settings, log, passwords)
        self._pauses = pauses
        self._patience = patience
        self._lock = threading.Lock()
        self._places = [_Place(number) for number in range(1, count + 1)]
        self._was_ready = False
        self._stopping = threading.Event()
        self._failure: TimelineError | None = None

    def told(self) -> list[Told]:
        """The numbers of each worker, those of its predecessors included. Any thread may ask, at any time."""
        with self._lock:
            return [Told(place.past + place.now.tally, place.now.standing) for place in self._places]

    def run(self, stopping: threading.Event) -> Counts:
        """Start the workers, and return the sum of what they did when all have ended, or ``stopping`` was set.

        A worker whose work returns has ended. One that dies, or raises what nobody expected, is started again after
        growing pauses. When ``stopping`` is set, all are told to stop by SIGTERM, and what does not end in time is
        killed: what it had not acknowledged goes back to the queue.

        Raises the :class:`~timeline.errors.TimelineError` that a worker raised before any of them was ready: it will
        not go away by trying again.
        """
        resource_tracker.ensure_running()  # it would unblock signals in the midst of the first start
        self._stopping = stopping
        until: float | None = None
        try:
            while not all(place.is_done for place in self._places):
                if until is None and (stopping.is_set() or self._failure is not None):
                    until = monotonic() + self._patience
                    self._tell_to_stop()
                elif until is None:
                    self._start_those_due()
                self._listen()
                self._kill_those_overdue(until)
        finally:
            self._kill_those_overdue(0.0)
        if self._failure is not None:
            raise self._failure
        return sum((place.counts for place in self._places), Counts())

    def _start_those_due(self) -> None:
        for place in self._places:
            if place.process is None and not place.is_done and place.due <= monotonic():
                place.started = monotonic()
                try:
                    process, pipe = _started(place.number, *self._given)
                except OSError as error:
                    self._bury(place, f"could not be started ({error.strerror})")
                    continue
                with self._lock:
                    place.process, place.pipe, place.ended = process, pipe, None
                    place.now = Told(Tally(), Standing())

    def _tell_to_stop(self) -> None:
        for place in self._places:
            if place.process is None:
                place.is_done = True
            else:
                place.process.terminate()

    def _kill_those_overdue(self, until: float | None) -> None:
        """Kill those that are to have ended by then, or that have said their last word and linger."""
        for place in self._places:
            limits = [each for each in (until, place.lingers_until) if each is not None]
            if place.process is not None and limits and monotonic() > min(limits):
                _log.warning(
                    "worker %d did not end in time and is killed: what it had not acknowledged is delivered again",
                    place.number,
                )
                place.process.kill()
                self._reap(place)

    def _listen(self) -> None:
        """Take what workers say, for a moment; and see to those that have ended."""
        running = [place for place in self._places if place.process is not None]
        pipes = [place.pipe for place in running if place.pipe is not None]
        sentinels = [place.process.sentinel for place in running if place.process is not None]
        ready = connection.wait([*pipes, *sentinels], timeout=_GLANCE)
        for place in running:
            if place.pipe in ready:
                self._hear(place)
            if place.process is not None and place.process.sentinel in ready:
                self._reap(place)

    def _hear(self, place: _Place) -> None:
        """Take all that a worker has said."""
        try:
            while place.pipe is not None and place.pipe.poll():
                said = message_of(place.pipe.recv_bytes())
                if isinstance(said, Ended):
                    place.ended = said
                    place.lingers_until = monotonic() + self._patience
                    continue
                standing = said.standing
                self._was_ready |= standing.connected and standing.store_available
                with self._lock:
                    place.now = said
        except (EOFError, OSError):
            place.close()  # it has said its last

    def _reap(self, place: _Place) -> None:
        """See what became of a worker that has ended, or is about to."""
        assert place.process is not None
        place.process.join()
        self._hear(place)
        place.close()
        code, ended, tally = place.process.exitcode, place.ended, place.now.tally
        place.process.close()
        with self._lock:
            # what it did is kept, how it stood is past
            place.process, place.lingers_until = None, None
            place.past += tally
            place.now = Told(Tally(), Standing(alive=False))
        place.counts += _counts(tally) if ended is None or ended.counts is None else ended.counts
        if self._stopping.is_set() or self._failure is not None:
            place.is_done = True
        elif ended is None:
            self._bury(place, _how(code))
        elif ended.was_told:
            self._bury(place, "was told to stop, and not from here")
        elif ended.counts is not None:
            place.is_done = True
        elif self._was_ready:
            self._bury(place, f"has ended: {ended.text}")
        else:
            self._failure = ended.failure()
            place.is_done = True

    def _bury(self, place: _Place, how: str) -> None:
        if monotonic() - place.started > self._pauses[-1]:
            place.deaths = 0
        pause = self._pauses[min(place.deaths, len(self._pauses) - 1)]
        place.deaths += 1
        place.due = monotonic() + pause
        _log.warning("worker %d %s; it is started again in %g s", place.number, how, pause)


class _Place:
    """The place of one worker, which several hold one after the other."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: SpawnProcess | None = None
        self.pipe: Connection | None = None
        self.started = 0.0
        self.due = 0.0
        self.lingers_until: float | None = None
        self.deaths = 0
        self.is_done = False
        self.now = Told(Tally(), Standing(alive=False))
        self.past = Tally()
        self.ended: Ended | None = None
        self.counts = Counts()

    def close(self) -> None:
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None


class _Start(NamedTuple):
    process: SpawnProcess
    pipe: Connection


def _started(number: int, *given: Any) -> _Start:
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe(duplex=False)
    process = context.Process(target=main, args=(its, number, *given), name=f"worker {number}", daemon=True)
    # a worker begins with its signals blocked, and heeds them when it can: none is lost, none kills it half made
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        process.start()
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        its.close()
    return _Start(process, ours)


def _counts(tally: Tally) -> Counts:
    """What a worker had stored that could not say it at its end."""
    quarantined = sum(tally.quarantined.values())
    return Counts(
        notifications=tally.in_scope + tally.out_of_scope + quarantined,
        in_scope=tally.in_scope,
        out_of_scope=tally.out_of_scope,
        quarantined=quarantined,
        events=tally.events,
        bodies=tally.bodies,
        duplicates=tally.duplicates,
        unreadable_fields=tally.unreadable_fields,
    )


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with code {code}"
