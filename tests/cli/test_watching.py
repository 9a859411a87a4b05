"""The line that a person sees while messages are consumed."""

from __future__ import annotations

import contextlib
import os
import pty
import sys
import threading
from time import monotonic, sleep

import pytest

from timeline.cli.watching import Line, span, watched
from timeline.metrics import Metrics


class Hour:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def store(metrics: Metrics, stored: int, *, quarantined: int = 0, lag: float = 1.0) -> None:
    """So many messages are stored, each ``lag`` seconds after it happened."""
    metrics.committed(
        in_scope=stored,
        out_of_scope=0,
        quarantined={"not-json": quarantined},
        events=stored,
        bodies=0,
        duplicates=0,
        unreadable_fields=0,
        seconds=0.1,
        lags=[int(lag * 1_000_000)] * stored,
    )


@pytest.fixture
def metrics() -> Metrics:
    """Of a process that is connected."""
    metrics = Metrics()
    metrics.connected(True)
    return metrics


def test_it_tells_rate_what_is_stored_what_is_held_and_how_far_behind(metrics: Metrics) -> None:
    hour = Hour()
    line = Line(lambda: [metrics.told()], hour=hour)
    assert line.text() == "0/s, 0 stored, 0 quarantined, 0 unacknowledged"
    store(metrics, 2_000, quarantined=3, lag=90)
    metrics.unacknowledged(120)
    hour.now = 2.0
    assert line.text() == "1,000/s, 2,000 stored, 3 quarantined, 120 unacknowledged, 90 s behind"


def test_rate_and_lag_are_of_the_last_seconds(metrics: Metrics) -> None:
    hour = Hour()
    line = Line(lambda: [metrics.told()], hour=hour)
    for second in range(1, 31):
        hour.now = second
        store(metrics, 1_000 if second <= 20 else 10, lag=3_600 if second <= 20 else 0.2)
        told = line.text()
    assert told.startswith("10/s, 20,100 stored")
    assert told.endswith("0.2 s behind")


def test_the_numbers_of_several_workers_are_one_line(metrics: Metrics) -> None:
    store(metrics, 5)
    line = Line(lambda: [metrics.told(), metrics.told()], hour=Hour())
    assert "10 stored" in line.text()


def test_what_keeps_messages_from_being_stored_is_said(metrics: Metrics) -> None:
    line = Line(lambda: [metrics.told()], hour=Hour())
    metrics.store_failed("StoreBusy")
    assert line.text().endswith(", the store does not answer")
    metrics.store_available(True)
    metrics.connected(False)
    assert line.text().endswith(", no connection to the bus")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (0.44, "0.4 s"), (12.4, "12 s"), (180, "3 min"), (18_000, "5 h"), (200_000, "2 d")],
)
def test_a_span_is_said_as_a_person_says_it(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_where_no_person_watches_nothing_is_written(metrics: Metrics, capsys: pytest.CaptureFixture[str]) -> None:
    with watched(lambda: [metrics.told()]):
        pass
    assert capsys.readouterr() == ("", "")


def test_on_a_screen_the_line_is_kept_up_to_date_and_is_gone_at_the_end(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    ours, screen = pty.openpty()
    seen = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # what a screen says when its last writer has gone
            while piece := os.read(ours, 65536):
                seen.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    with open(screen, "w", encoding="utf-8") as stream, monkeypatch.context() as there:
        there.setattr(sys, "stderr", stream)
        with watched(lambda: [metrics.told()]):
            store(metrics, 1_234)
            end = monotonic() + 20
            while b"1,234 stored" not in seen:
                assert monotonic() < end
                sleep(0.01)
            sys.stderr.write("something is logged\n")
    reader.join()
    os.close(ours)
    assert b"something is logged" in seen
    assert b"stored" not in seen.rpartition(b"\x1b[2K")[2]
