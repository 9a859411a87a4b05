"""The numbers of one or several processes as Prometheus collects them: the only place that needs prometheus_client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from timeline import clock
from timeline.errors import PackageMissing
from timeline.metrics.numbers import COMMIT_SECONDS, LAG_SECONDS, Spread, Standing, Tally, Told

try:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.exposition import generate_latest
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    raise PackageMissing(
        "metrics need prometheus_client, which is not installed: pip install 'resource-timeline[bus]'"
    ) from error

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["CONTENT_TYPE", "register", "text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What :func:`text` returns."""


def register(tell: Callable[[], Sequence[Told]], registry: CollectorRegistry) -> None:
    """Have what ``tell`` returns, one for each process, collected from a registry."""
    registry.register(_Collector(tell))


def text(told: Sequence[Told]) -> bytes:
    """The numbers in the text format 0.0.4 of Prometheus."""
    registry = CollectorRegistry()
    register(lambda: told, registry)
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, tell: Callable[[], Sequence[Told]]) -> None:
        self._tell = tell

    def collect(self) -> Iterator[Metric]:
        told = self._tell()
        yield from _tally(sum((each.tally for each in told), Tally()))
        yield from _standing([each.standing for each in told])


def _tally(tally: Tally) -> Iterator[Metric]:
    yield _counter("messages_read", "Messages that came from the bus, those that came again included.", tally.read)
    yield _counter(
        "messages_redelivered", "Messages that the broker had delivered before, to whomever.", tally.redelivered
    )
    outcomes = {
        "in_scope": tally.in_scope,
        "out_of_scope": tally.out_of_scope,
        "quarantined": sum(tally.quarantined.values()),
    }
    yield _counter_by("messages", "Messages whose outcome is durable, by outcome.", "outcome", outcomes)
    yield _counter_by(
        "quarantined", "Messages that could not be read and were put into quarantine.", "reason", tally.quarantined
    )
    yield _counter("events_stored", "Events newly stored; absent where the store cannot tell.", tally.events)
    yield _counter("bodies_stored", "Bodies newly stored; absent where the store cannot tell.", tally.bodies)
    yield _counter(
        "repeats_stored",
        "Events newly stored whose body was known, so that their time alone was stored; absent where the store "
        "cannot tell.",
        tally.repeats,
    )
    yield _counter(
        "duplicates", "Events that were stored before; absent where the store cannot tell.", tally.duplicates
    )
    yield _counter(
        "unreadable_fields", "Fields that a message spoke of and that could not be read.", tally.unreadable_fields
    )
    yield _histogram("commit_seconds", "How long it took to store a batch.", COMMIT_SECONDS, tally.commits)
    yield _histogram(
        "lag_seconds",
        "From when an event occurred, by the clock of who told it, until it was recorded by ours; what is below zero "
        "counts as zero.",
        LAG_SECONDS,
        tally.lags,
    )
    yield _counter("reconnects", "How often a lost connection to the bus was made again.", tally.reconnects)
    yield _counter_by(
        "store_errors", "Batches that the store could not take at that time, by error.", "error", tally.store_errors
    )
    yield _counter(
        "stale_acknowledgements",
        "Messages that could not be acknowledged since their connection was gone: the broker delivers them again.",
        tally.stale,
    )


def _standing(standings: Sequence[Standing]) -> Iterator[Metric]:
    yield _gauge(
        "unacknowledged_messages",
        "Messages that are held and not acknowledged yet.",
        sum(each.unacknowledged for each in standings),
    )
    yield _gauge(
        "connected",
        "1 where every worker is subscribed to the bus, else 0.",
        _all(each.connected for each in standings),
    )
    yield _gauge(
        "store_available",
        "1 where the store answered every worker when it was last asked, else 0.",
        _all(each.store_available for each in standings),
    )
    commits = [each.committed_at for each in standings if each.committed_at is not None]
    yield _gauge(
        "last_commit_timestamp_seconds",
        "When a batch was last stored, in seconds since 1970; absent before the first.",
        max(commits) / clock.SECOND if commits else None,
    )
    turns = [each.turned_at for each in standings]
    yield _gauge(
        "last_turn_timestamp_seconds",
        "When the run loop last turned, in seconds since 1970: of several workers the one for which it is longest ago.",
        min(turns) / clock.SECOND if turns else None,
    )
    yield _gauge("workers", "Worker processes that run.", sum(each.alive for each in standings))


def _all(conditions: Iterable[bool]) -> int:
    found = list(conditions)
    return int(bool(found) and all(found))


def _counter(name: str, meaning: str, value: int | None) -> Metric:
    return CounterMetricFamily(f"timeline_{name}", meaning, value=value)


def _counter_by(name: str, meaning: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"timeline_{name}", meaning, labels=[label])
    for word in sorted(values):
        family.add_metric([word], values[word])
    return family


def _gauge(name: str, meaning: str, value: float | None) -> Metric:
    return GaugeMetricFamily(f"timeline_{name}", meaning, value=value)


def _histogram(name: str, meaning: str, bounds: Sequence[float], spread: Spread) -> Metric:
    buckets: list[tuple[str, float]] = []
    reached = 0
    for bound, number in zip((*map(str, bounds), "+Inf"), spread.counts, strict=True):
        reached += number
        buckets.append((bound, reached))
    family = HistogramMetricFamily(f"timeline_{name}", meaning)
    family.add_metric([], buckets, sum_value=spread.total)
    return family
