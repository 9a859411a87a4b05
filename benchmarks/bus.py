"""P13: a queue of RabbitMQ consumed into a store, beside kombu that takes and acknowledges and does nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import amqp
import kombu

import timeline
from benchmarks.measure import ROOT, Row
from simulator import Fleet
from tests.servers import absence, own
from timeline import clock
from timeline.metrics.numbers import LAG_SECONDS

COUNT = 30_000
LONG = 1_000_000
BURST = 50_000
BURST_SECONDS = 60
MEGABYTES = 256
REPEATS = 3

_MIB = 1024 * 1024
_PREFETCH = 1_000


def rows(long: bool = False) -> Iterator[Row]:
    """P13, where RabbitMQ and PostgreSQL are installed."""
    for name in ("rabbitmq", "postgresql"):
        absent = absence(name)
        if absent is not None:
            yield Row(id="P13", what="a bus", reached="not measured", reach="", beside=absent)
            return
    with TemporaryDirectory() as folder, own("rabbitmq") as broker, own("postgresql") as server:
        bus = _Bus(broker.url)
        stores = _Stores(Path(folder), server.url)
        fleet = [*_fleet(COUNT)]
        size = sum(map(len, fleet)) / len(fleet)
        for title, store in (("SQLite", stores.sqlite), ("PostgreSQL", stores.postgresql)):
            yield from _beside_raw(title, bus, store, fleet, size)
        yield from _abreast(bus, stores, fleet)
        yield _memory(bus, stores)
        yield _burst(bus, stores)
        yield _drained(bus, stores, LONG if long else LONG // 10)


def _beside_raw(title: str, bus: _Bus, store: Any, fleet: list[bytes], size: float) -> Iterator[Row]:
    ours, raw = [], []
    for _ in range(REPEATS):
        bus.fill(fleet)
        raw.append(_finished(_started("raw", bus.url, bus.queue, str(len(fleet)))))
        with store() as url:
            bus.fill(fleet)
            ours.append(_finished(_consuming(bus, url)))
    rate, floor = (median(each["messages"] / each["seconds"] for each in runs) for runs in (ours, raw))
    cost, least = (median(each["cpu"] / each["messages"] for each in runs) * 1e6 for runs in (ours, raw))
    yield Row(
        id="P13",
        what=f"{title}: nova notifications of {size:,.0f} bytes, one process",
        reached=f"{rate:,.0f}/s, {cost:.0f} us of a processor each",
        reach="60 % of raw",
        beside=f"{floor:,.0f}/s, {least:.0f} us: kombu acknowledges per hundred: {rate / floor:.0%}",
        holds=rate >= 0.6 * floor,
    )


def _abreast(bus: _Bus, stores: _Stores, fleet: list[bytes]) -> Iterator[Row]:
    alone, together = [], []
    for _ in range(REPEATS):
        with stores.postgresql() as url:
            bus.fill(fleet)
            alone.append(_rate([_consuming(bus, url)]))
        with stores.postgresql() as url:
            bus.fill(fleet)
            together.append(_rate([_consuming(bus, url), _consuming(bus, url)]))
    one, two = (median(rate for rate, _ in runs) for runs in (alone, together))
    cost, both = (median(cost for _, cost in runs) for runs in (alone, together))
    cores = len(os.sched_getaffinity(0))
    reach = 1.6 if cores >= 4 else 1.0
    yield Row(
        id="P13",
        what=f"PostgreSQL: two processes on one queue, {cores} cores for all",
        reached=f"{two:,.0f}/s",
        reach=f"{reach:g}x one",
        beside=f"{one:,.0f}/s by one: {two / one:.2f}x",
        holds=two >= reach * one,
    )
    yield Row(
        id="P13",
        what="the same: a processor's time for each message",
        reached=f"{both:.0f} us",
        reach="115 % of one",
        beside=f"{cost:.0f} us by one: {both / cost:.0%}",
        holds=both <= 1.15 * cost,
    )


def _memory(bus: _Bus, stores: _Stores) -> Row:
    small = [*_fleet(400)]
    with stores.sqlite() as url:
        bus.fill(small)
        base = _finished(_consuming(bus, url, prefetch=100))["peak"]
    with stores.sqlite() as url:
        bus.fill(_padded(message) for message in small)
        peak = _finished(_consuming(bus, url, prefetch=100))["peak"]
    return Row(
        id="P13",
        what="peak memory, messages of 1 MiB, 100 of them held",
        reached=f"{peak:.0f} MB",
        reach=f"{MEGABYTES} MB",
        beside=f"{base:.0f} MB with small ones",
        holds=peak <= MEGABYTES,
    )


def _burst(bus: _Bus, stores: _Stores) -> Row:
    with stores.postgresql() as url:
        bus.fill([])
        running = _consuming(bus, url, until=BURST)
        bus.trickle(_exists(), BURST, BURST / BURST_SECONDS)
        told = _finished(running)
    late = sum(told["lags"][LAG_SECONDS.index(5.0) + 1 :])
    worst = max(at for at, count in enumerate(told["lags"]) if count)
    bound = f"{LAG_SECONDS[worst]:g} s" if worst < len(LAG_SECONDS) else "more"
    return Row(
        id="P13",
        what=f"PostgreSQL: {BURST:,} exists published in {BURST_SECONDS} s, one process: the longest lag",
        reached=f"up to {bound}",
        reach="5 s",
        beside=f"{told['cpu'] / told['seconds']:.0%} of a processor, {told['messages']:,} stored",
        holds=not late and told["messages"] == BURST,
    )


def _drained(bus: _Bus, stores: _Stores, count: int) -> Row:
    with stores.postgresql() as url:
        bus.fill(_fleet(count))
        told = _finished(_consuming(bus, url))
    marks = [(0.0, 0), *((at, stored) for at, stored in told["marks"])]
    first = next(at for at, stored in marks if stored >= count // 10)
    last_from = next(at for at, stored in marks if stored >= count * 9 // 10)
    early, late = count / 10 / first, count / 10 / (marks[-1][0] - last_from)
    return Row(
        id="P13",
        what=f"PostgreSQL: {count:,} queued messages, the last tenth of them",
        reached=f"{late:,.0f}/s",
        reach="80 % of the first",
        beside=f"{early:,.0f}/s for the first tenth: {late / early:.0%}",
        holds=late >= 0.8 * early,
    )


class _Bus:
    """A durable queue, and who publishes to it."""

    queue = "bench"

    def __init__(self, url: str) -> None:
        self.url = url

    def fill(self, messages: Iterable[bytes]) -> None:
        """Empty the queue, and fill it with these."""
        with self._channel() as channel:
            kombu.Queue(self.queue, durable=True)(channel).queue_declare()
            channel.queue_purge(self.queue)
            count = 0
            for message in messages:
                self._publish(channel, message)
                count += 1
        with self._channel() as channel:  # what was published before is there when another channel has an answer
            while channel.queue_declare(self.queue, passive=True).message_count < count:
                time.sleep(0.05)

    def trickle(self, messages: Iterator[bytes], count: int, rate: float) -> None:
        """Publish so many, at a steady rate per second."""
        began = time.perf_counter()
        with self._channel() as channel:
            for number in range(count):
                left = began + number / rate - time.perf_counter()
                if left > 0:
                    time.sleep(left)
                self._publish(channel, next(messages))

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        with kombu.Connection(self.url) as connection:
            yield connection.channel()

    def _publish(self, channel: Any, message: bytes) -> None:
        channel.basic_publish(amqp.Message(message, delivery_mode=2), "", self.queue)


class _Stores:
    """Empty stores."""

    def __init__(self, folder: Path, server: str) -> None:
        self._folder = folder
        self._server = server
        self._made = 0

    @contextmanager
    def sqlite(self) -> Iterator[str]:
        self._made += 1
        yield self._prepared(f"sqlite:///{self._folder}/{self._made}.db")

    @contextmanager
    def postgresql(self) -> Iterator[str]:
        import psycopg

        self._made += 1
        name = f"bench_{self._made}"
        with psycopg.connect(self._server.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield self._prepared(f"{self._server.rpartition('/')[0]}/{name}")

    def _prepared(self, url: str) -> str:
        with timeline.open(url) as engine:
            engine.prepare()
        return url


def _started(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.bus_process", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def _consuming(bus: _Bus, store: str, *, prefetch: int = _PREFETCH, until: int = 0) -> subprocess.Popen[bytes]:
    """A process that consumes until nothing is left, or until it has so many messages."""
    return _started("timeline", bus.url, bus.queue, store, str(prefetch), str(until))


def _finished(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a consumer ended with {process.returncode}")
    told: dict[str, Any] = json.loads(out)
    return told


def _rate(processes: Sequence[subprocess.Popen[bytes]]) -> tuple[float, float]:
    """Messages a second of all together, and microseconds of a processor for each."""
    with ExitStack() as stack:
        told = [_finished(stack.enter_context(process)) for process in processes]
    messages = sum(each["messages"] for each in told)
    ended = max(each["ended"] for each in told) - min(each["began"] for each in told)
    return messages / ended, sum(each["cpu"] for each in told) / messages * 1e6


def _fleet(count: int) -> Iterator[bytes]:
    """So many notifications of a fleet that grows with their number."""
    return islice(Fleet(instances=count // 20, days=2).notifications(), count)


def _padded(message: bytes) -> bytes:
    """The same notification, with so much in a field that nobody reads that it has one mebibyte."""
    said = json.loads(message)
    said["padding"] = ["x" * 1_000] * 1_020
    return json.dumps(said).encode()[:-1].ljust(_MIB - 1) + b"}"


def _exists() -> Iterator[bytes]:
    """What a nova says of its instances, each time with the hour at which it says so."""
    samples = [json.loads(each) for each in Fleet(instances=50, days=2).notifications()]
    samples = [each for each in samples if each["event_type"] == "compute.instance.exists"]
    samples = [each for each in samples if not each["payload"]["deleted_at"]]  # these say when, by themselves
    number = 0
    while True:
        for said in samples:
            number += 1
            payload = {**said["payload"], "instance_id": f"instance-{number}"}
            now = clock.format(clock.now())
            yield json.dumps({**said, "payload": payload, "timestamp": now, "message_id": str(number)}).encode()
