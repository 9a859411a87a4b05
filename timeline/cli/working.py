"""What a worker process does: the work it is given, and telling how it stands."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple, TypeVar

import msgspec

from timeline import errors
from timeline.cli import logs
from timeline.engine import Counts
from timeline.errors import TimelineError
from timeline.metrics import Metrics, Told

_TELL = 0.25
"""Seconds between two times that a worker says how it stands."""

_LAST_WORD = 2.0
"""Seconds that its last word may take to be said."""

_log = logging.getLogger(__name__)

Settings = TypeVar("Settings", contravariant=True)


class Part(NamedTuple):
    """What one worker has besides its settings."""

    number: int
    """From 1."""
    stopping: threading.Event
    """Set when it is to stop: by SIGTERM, by SIGINT, or since the process that started it is gone."""
    metrics: Metrics


Work = Callable[[Settings, Part], Counts]


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The last word of a worker: its counts, or which error of ours ended it."""

    counts: Counts | None = None
    was_told: bool = False
    """Whether it was told to stop: else it had come to its end."""
    kind: str = ""
    text: str = ""

    def failure(self) -> TimelineError:
        """The error, as far as it can be told between processes: its kind and its text."""
        kind = getattr(errors, self.kind, TimelineError)
        try:
            error = kind(self.text)
        except TypeError:  # some are made of more than a text
            error = TimelineError(self.text)
        assert isinstance(error, TimelineError)
        return error


class _Standing(msgspec.Struct, frozen=True, tag=True):
    told: Told


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Ended | _Standing).decode


def message_of(data: bytes) -> Told | Ended:
    """What a worker has said."""
    said = _decode(data)
    return said.told if isinstance(said, _Standing) else said


def main(
    pipe: Connection,
    number: int,
    work: Work[Settings],
    settings: Settings,
    log: logs.Form,
    passwords: frozenset[str],
) -> None:
    """All that a worker process does, from its start to its end."""
    stopping = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopping.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))
    with logs.written(log, worker=number, passwords=passwords):
        metrics = Metrics()
        teller = _Teller(pipe, metrics, stopping)
        try:
            counts = work(settings, Part(number, stopping, metrics))
            ended = Ended(counts, was_told=stopping.is_set())
        except TimelineError as error:
            ended = Ended(kind=type(error).__name__, text=str(error))
        teller.end(ended)
        if ended.counts is None:
            sys.exit(1)


class _Teller:
    """Says how the process stands, again and again, in a thread of its own. Where nobody listens, it is to stop."""

    def __init__(self, pipe: Connection, metrics: Metrics, stopping: threading.Event) -> None:
        self._pipe = pipe
        self._metrics = metrics
        self._stopping = stopping
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="telling", daemon=True)
        self._thread.start()

    def end(self, last: Ended) -> None:
        """Say the last numbers and the last word. Who does not listen is not waited for."""
        self._ended.set()
        self._thread.join(_LAST_WORD)
        if self._thread.is_alive():
            return
        self._say(_Standing(self._metrics.told()))
        self._say(last)
        self._pipe.close()

    def _tell(self) -> None:
        while not self._ended.wait(_TELL):
            if not self._say(_Standing(self._metrics.told())):
                return

    def _say(self, said: _Standing | Ended) -> bool:
        try:
            # shorter than what a pipe takes at once, so that who is killed or held at it leaves no half of it
            self._pipe.send_bytes(_encode(said))
        except OSError:
            was_to_stop = self._stopping.is_set()
            self._stopping.set()
            if not was_to_stop:
                _log.warning("the process that started this worker is gone: it stops")
            return False
        return True
