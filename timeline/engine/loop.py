"""The run loop: take a batch, store it, acknowledge it. The only place where anything is acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from itertools import chain, repeat
from queue import SimpleQueue
from threading import Event as ThreadingEvent
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from timeline.consumers.source import Source
from timeline.engine.counts import Counts
from timeline.engine.storing import Storing
from timeline.errors import StoreError, TimelineError
from timeline.model import Message

if TYPE_CHECKING:
    from timeline.metrics import Metrics

BATCH_BYTES = 8 * 1024 * 1024
"""Messages are stored before they take more memory than this together."""

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds to wait after the store has failed once, twice, ...; the last is repeated."""

_TURN = 0.2
"""Seconds after which a loop in which nothing happens turns."""
_GLANCE = 0.02
"""The same while a batch is being stored: it is to be acknowledged when that is done."""
_TICK = 1.0
"""Seconds between two signs of life while nothing can be taken."""
_QUIET = 0.5
"""Seconds in which nothing may come before a source is taken for empty: what others gave back is on its way."""
GRACE = 6.0
"""Seconds that a batch may take which is being stored when the loop is to stop. After that it is given back."""

_log = logging.getLogger(__name__)


class Loop:
    """Takes batches of messages from a source, stores them, and acknowledges them, until it is to stop.

    ``patient`` is for a source that goes on for ever: a batch is stored in a thread, so that the source hears of us
    meanwhile, and where the store fails, all is given back, and after growing ``pauses`` (seconds) the batch that
    failed is tried again until the store takes it. Else a batch is stored before the next is taken, and what the store
    raises is raised.

    A batch has at most ``batch`` messages, and is stored ``age`` seconds after its first has come at the latest.
    ``progress`` is called with the counts so far after each.
    """

    def __init__(
        self,
        source: Source,
        storing: Storing,
        *,
        batch: int,
        patient: bool,
        age: float = 0.0,
        until_empty: bool = False,
        stopping: ThreadingEvent | None = None,
        pauses: Sequence[float] = PAUSES,
        metrics: Metrics | None = None,
        progress: Callable[[Counts], None] | None = None,
    ) -> None:
        self._source = source
        self._storing = storing
        self._most = batch if source.ahead is None else max(1, min(batch, source.ahead // 2))
        self._patient = patient
        self._age = age
        self._until_empty = until_empty
        self._stopping = stopping or ThreadingEvent()
        self._pauses = pauses
        self._metrics = metrics
        self._progress = progress
        self._store: _Aside | _Here = _Aside(storing.store) if patient else _Here(storing.store)
        self._batch = _Batch()
        self._pending: _Pending | None = None
        self._counts = Counts()

    def run(self) -> Counts:
        """Go on until it is to stop, or the source has come to its end, or is empty where that was asked.

        What the source raises is raised when all that was taken before is stored. To be called once.
        """
        try:
            return self._run()
        finally:
            self._store.end()

    def _run(self) -> Counts:
        quiet_since = monotonic()
        while not self._stopping.is_set():
            self._tell()
            if self._pending is not None and self._pending.is_done(0.0):
                self._settle()
            elif self._pending is None and self._batch.is_due(self._most, self._age):
                self._submit()
            elif self._pending is not None and self._must_wait():
                if not self._pending.is_done(_TICK):
                    self._source.tick()
            else:
                try:
                    taken = self._source.take(
                        self._most - len(self._batch.messages), BATCH_BYTES - self._batch.size, self._within()
                    )
                except TimelineError:
                    self._finish()
                    raise
                if taken is None:
                    break
                if taken:
                    self._batch.add(taken, self._source.mark)
                    quiet_since = monotonic()
                elif self._until_empty and self._is_empty(quiet_since):
                    break
        self._finish()
        return self._counts

    def _must_wait(self) -> bool:
        """Whether there is nothing to take before something is acknowledged."""
        taken = len(self._batch.messages)
        ahead = self._source.ahead
        held = taken + (0 if self._pending is None else len(self._pending.messages))
        return taken >= self._most or self._batch.size >= BATCH_BYTES or (ahead is not None and held >= ahead)

    def _within(self) -> float:
        if self._pending is not None:
            return _GLANCE
        return min(_TURN, self._batch.left(self._age)) if self._batch.messages else _TURN

    def _is_empty(self, quiet_since: float) -> bool:
        nothing_is_held = self._pending is None and not self._batch.messages
        return nothing_is_held and monotonic() - quiet_since >= _QUIET and self._source.is_empty()

    def _submit(self) -> None:
        batch, self._batch = self._batch, _Batch()
        self._pending = _Pending(batch.messages, batch.mark, self._store(batch.messages))

    def _settle(self) -> None:
        """Acknowledge what is stored; where it could not be stored, try again until it is, or we are to stop."""
        pending, self._pending = self._pending, None
        assert pending is not None
        try:
            counts = pending.stored.result()
        except StoreError as error:
            if not self._patient:
                raise
            self._recover(pending.messages, error)
            return
        self._count(counts)
        if not self._source.acknowledge(pending.mark) and self._metrics is not None:
            self._metrics.stale(len(pending.messages))

    def _recover(self, messages: list[Message], error: StoreError) -> None:
        """After the store has failed: give all back, and try the batch that failed until the store takes it.

        It is no longer ours to acknowledge, and will come again, as what is stored already. So what comes back to the
        queue comes back once, however long the store is away: some queues bound how often.
        """
        self._source.give_back()
        self._batch = _Batch()
        for pause in chain(self._pauses, repeat(self._pauses[-1])):
            _log.warning("%s; all was given back, and the store is tried again in %g s", error, pause)
            if self._metrics is not None:
                self._metrics.store_failed(type(error).__name__)
                self._metrics.store_available(False)
            until = monotonic() + pause
            while not self._stopping.wait(min(_TICK, max(0.0, until - monotonic()))) and monotonic() < until:
                self._tell()
            pending = None if self._stopping.is_set() else _Pending(messages, None, self._store(messages))
            while pending is not None and not pending.is_done(_TURN) and not self._stopping.is_set():
                self._tell()
            if pending is None or not pending.is_done(0.0):
                return  # to stop: it is in the queue again
            try:
                self._count(pending.stored.result())
            except StoreError as again:
                error = again
                continue
            _log.warning("the store is back: going on")
            return

    def _finish(self) -> None:
        """Store and acknowledge what is held; where it is to stop, only what is being stored, if that does not last."""
        if self._pending is not None and self._pending.is_done(GRACE if self._stopping.is_set() else None):
            self._settle()
        if self._batch.messages and not self._stopping.is_set():
            self._submit()
            self._finish()

    def _count(self, counts: Counts) -> None:
        self._counts += counts
        if self._metrics is not None:
            self._metrics.store_available(True)
        if self._progress is not None:
            self._progress(self._counts)

    def _tell(self) -> None:
        if self._metrics is not None:
            self._metrics.turned()
            held = 0 if self._pending is None else len(self._pending.messages)
            self._metrics.unacknowledged(held + len(self._batch.messages))


class _Batch:
    """Messages that are to be stored together."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.size = 0
        self.mark: object = None
        self._since = 0.0

    def add(self, messages: list[Message], mark: object) -> None:
        if not self.messages:
            self._since = monotonic()
        self.messages += messages
        self.size += sum(len(message.data) for message in messages)
        self.mark = mark

    def left(self, age: float) -> float:
        """The seconds until it is as old as that."""
        return max(0.0, self._since + age - monotonic())

    def is_due(self, most: int, age: float) -> bool:
        """Whether it is to be stored now."""
        if not self.messages:
            return False
        return len(self.messages) >= most or self.size >= BATCH_BYTES or not self.left(age)


class _Pending(NamedTuple):
    """A batch that is being stored."""

    messages: list[Message]
    mark: object
    stored: Future[Counts]

    def is_done(self, within: float | None) -> bool:
        """Whether that has ended, well or not; waits for it up to so many seconds."""
        return not wait([self.stored], within).not_done


class _Here:
    """Calls a function at once, and gives what came of it in the same form as the other."""

    def __init__(self, call: Callable[[list[Message]], Counts]) -> None:
        self._call = call

    def __call__(self, messages: list[Message]) -> Future[Counts]:
        future: Future[Counts] = Future()
        try:
            future.set_result(self._call(messages))
        except StoreError as error:
            future.set_exception(error)
        return future

    def end(self) -> None:
        """There is nothing to end."""


class _Aside:
    """Calls a function in a thread of its own. Nobody waits for that at the end: a store may not answer for long."""

    def __init__(self, call: Callable[[list[Message]], Counts]) -> None:
        self._call = call
        self._asked: SimpleQueue[tuple[list[Message], Future[Counts]] | None] = SimpleQueue()
        Thread(target=self._work, name="storing", daemon=True).start()

    def __call__(self, messages: list[Message]) -> Future[Counts]:
        future: Future[Counts] = Future()
        self._asked.put((messages, future))
        return future

    def end(self) -> None:
        """End the thread when it has done what it was asked."""
        self._asked.put(None)

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            messages, future = asked
            try:
                future.set_result(self._call(messages))
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)
