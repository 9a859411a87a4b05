"""A process that consumes a queue, and prints what it took: ``python -m benchmarks.bus_process raw|timeline ...``."""

from __future__ import annotations

import gc
import json
import re
import sys
import time
from pathlib import Path
from threading import Event

import kombu

import timeline
from timeline.consumers.amqp import Amqp, Subscription
from timeline.engine import Counts
from timeline.metrics import Metrics

Mark = tuple[float, float, int]
"""The second, the processor's second, and the messages by then."""


def raw(url: str, queue: str, count: int) -> list[Mark]:
    """kombu takes messages and acknowledges them per hundred, and nothing else is done."""
    marks = [_now(0)]
    taken = 0
    with kombu.Connection(url) as connection:
        channel = connection.channel()

        def on_message(message: kombu.Message) -> None:
            nonlocal taken
            taken += 1
            if taken % 100 == 0:
                channel.basic_ack(message.delivery_tag, multiple=True)

        with kombu.Consumer(channel, [kombu.Queue(queue, durable=True)], on_message=on_message, prefetch_count=500):
            while taken < count:
                connection.drain_events(timeout=30)
    return [*marks, _now(taken)]


def consume(url: str, queue: str, store: str, prefetch: int, until: int, metrics: Metrics) -> list[Mark]:
    """The engine consumes a queue until nothing is left, or until it has so many: what was stored when."""
    marks = []
    stopping = Event()

    def progress(counts: Counts) -> None:
        marks.append(_now(counts.notifications))
        if until and counts.notifications >= until:
            stopping.set()

    source = Amqp(url, Subscription(queue=queue, passive=True), prefetch=prefetch, metrics=metrics)
    with timeline.open(store) as engine:
        engine.driver.version()  # connected, as a consumer is that runs for months
        _ = engine.definitions
        marks.append(_now(0))
        engine.consume(source, until_empty=not until, stopping=stopping, metrics=metrics, progress=progress)
    return marks


def _now(messages: int) -> Mark:
    return time.perf_counter(), time.process_time(), messages


def _peak() -> float:
    """The megabytes that this process took at most; the other way to ask counts those of who has started it."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    return int(kilobytes) / 1024


def main() -> None:
    """Consume, and print what that took: seconds, the processor's too, megabytes at the peak, how it went on, lags."""
    what, url, queue, *rest = sys.argv[1:]
    metrics = Metrics()
    gc.set_threshold(50_000)  # as the program does
    if what == "raw":
        marks = raw(url, queue, int(rest[0]))
    else:
        marks = consume(url, queue, rest[0], int(rest[1]), int(rest[2]), metrics)
    told = {
        "began": marks[0][0],
        "ended": marks[-1][0],
        "seconds": marks[-1][0] - marks[0][0],
        "cpu": marks[-1][1] - marks[0][1],
        "messages": marks[-1][2],
        "peak": _peak(),
        "marks": [(at - marks[0][0], count) for at, _, count in marks],
        "lags": metrics.told().tally.lags.counts,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
