"""``timeline consume`` as an operator runs it: a process of its own, which is killed, stopped, and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.faults.publishing import EXCHANGE, TOPIC, waiting

_ROOT = Path(__file__).parents[2]


class Consumer:
    """A consumer process; ``words`` are more of its options. It goes on until it is killed or stopped."""

    def __init__(self, bus: str, store: str, *words: str, environment: dict[str, str] | None = None) -> None:
        route = ["--exchange", EXCHANGE, "--topic", TOPIC, "--exchanges-durable"]
        command = [
            sys.executable,
            "-m",
            "timeline",
            "consume",
            bus,
            "--store",
            store,
            *route,
            "--format",
            "json",
            *words,
        ]
        self.process = subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_ROOT), **(environment or {})},
        )
        self.said = ""
        """What it said on standard error, once it has ended."""

    def kill(self) -> None:
        """Kill it as kill -9 does."""
        self.process.send_signal(signal.SIGKILL)
        self._collect()

    def stop(self, within: float = 60.0) -> int:
        """Tell it to stop, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self._collect(within)
        return self.process.returncode

    def ended(self, within: float = 120.0) -> dict[str, Any]:
        """The counts that it prints when it ends by itself, or was stopped."""
        self._collect(within)
        counts: dict[str, Any] = json.loads(self._out)
        return counts

    def until(self, condition: Callable[[], bool], within: float = 60.0, what: str = "what was waited for") -> None:
        """Return when this holds; fail where it does not come to that, and at once where this process has ended."""

        def held() -> bool:
            if self.process.poll() is not None:
                self._collect()
                raise AssertionError(f"{what} did not come: the consumer has ended: {self.said}")
            return condition()

        until(held, within, what)

    def _collect(self, within: float = 60.0) -> None:
        if self.process.stdout is not None and not self.process.stdout.closed:
            out, error = self.process.communicate(timeout=within)
            self._out, self.said = out.decode(), error.decode()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self._collect()


def drained(bus: str, store: str, *words: str) -> dict[str, Any]:
    """Consume what is left, all of it, and return the counts."""
    with Consumer(bus, store, "--until-empty", *words) as consumer:
        counts = consumer.ended()
        assert consumer.process.returncode in (0, 3), consumer.said
        return counts


def until(condition: Callable[[], bool], within: float = 60.0, what: str = "what was waited for") -> None:
    """Return when this holds; fail where it does not come to that."""
    end = monotonic() + within
    while not condition():
        assert monotonic() < end, f"{what} did not come"
        sleep(0.02)  # it is asked, not waited for


def until_empty(bus: str, queue: str = "timeline", within: float = 60.0) -> None:
    """Return when nothing waits in the queue, what somebody holds aside."""
    until(lambda: waiting(bus, queue) == 0, within, f"the end of the queue {queue}")
