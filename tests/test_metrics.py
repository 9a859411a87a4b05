"""What a consumer tells of itself: numbers that add up, and the names and meanings that Prometheus is given."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.tools import tool
from timeline.metrics import Metrics, Told
from timeline.metrics.exposition import text
from timeline.metrics.numbers import OTHER, WORDS, Spread

NAMES = {
    "timeline_messages_read": "counter",
    "timeline_messages_redelivered": "counter",
    "timeline_messages": "counter",
    "timeline_quarantined": "counter",
    "timeline_events_stored": "counter",
    "timeline_bodies_stored": "counter",
    "timeline_repeats_stored": "counter",
    "timeline_duplicates": "counter",
    "timeline_unreadable_fields": "counter",
    "timeline_commit_seconds": "histogram",
    "timeline_lag_seconds": "histogram",
    "timeline_unacknowledged_messages": "gauge",
    "timeline_connected": "gauge",
    "timeline_store_available": "gauge",
    "timeline_reconnects": "counter",
    "timeline_store_errors": "counter",
    "timeline_stale_acknowledgements": "counter",
    "timeline_last_commit_timestamp_seconds": "gauge",
    "timeline_last_turn_timestamp_seconds": "gauge",
    "timeline_workers": "gauge",
}
"""Every metric and its type: alert rules and dashboards read these names. The text adds ``_total`` to counters."""


@pytest.fixture
def metrics() -> Metrics:
    """Of a process that has just begun."""
    return Metrics()


def commit(metrics: Metrics, **changed: object) -> None:
    """A batch of five messages is stored, but for what is said otherwise."""
    said = {"in_scope": 3, "out_of_scope": 1, "quarantined": {"not-json": 1}, "events": 3, "bodies": 2, "duplicates": 1}
    said |= {"unreadable_fields": 2, "seconds": 0.02, "lags": [1_500_000, 90_000_000, -5_000_000]}
    metrics.committed(**(said | changed))  # type: ignore[arg-type]


def busy() -> Metrics:
    """Of a process to which everything has happened."""
    metrics = Metrics()
    metrics.connected(True)
    metrics.received(6, 2)
    metrics.unacknowledged(1)
    commit(metrics)
    metrics.reconnected()
    metrics.stale(4)
    metrics.store_failed("StoreBusy")
    metrics.store_available(True)
    metrics.turned()
    return metrics


def value(metrics: Metrics | list[Told], name: str, **labels: str) -> float | None:
    """What Prometheus is given under a name; nothing where the metric is absent."""
    told = [metrics.told()] if isinstance(metrics, Metrics) else metrics
    found = [
        sample.value
        for family in text_string_to_metric_families(text(told).decode())
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) < 2
    return found[0] if found else None


def test_the_names_and_types_are_those_that_alert_rules_read() -> None:
    families = text_string_to_metric_families(text([busy().told()]).decode())
    assert {family.name: family.type for family in families} == NAMES


def test_every_metric_has_a_sentence_that_says_what_it_is() -> None:
    for family in text_string_to_metric_families(text([busy().told()]).decode()):
        assert family.documentation.endswith(".")
        assert family.documentation[0].isupper() or family.documentation[0].isdigit()


@pytest.mark.parametrize("metrics", [Metrics(), busy()], ids=["fresh", "busy"])
def test_promtool_finds_nothing_to_say_against_them(metrics: Metrics) -> None:
    checked = subprocess.run([tool("promtool"), "check", "metrics"], input=text([metrics.told()]), capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_registry_of_ones_own_collects_them() -> None:
    registry = CollectorRegistry()
    commit(Metrics(registry))
    assert registry.get_sample_value("timeline_messages_total", {"outcome": "in_scope"}) == 3.0


def test_prometheus_client_is_not_loaded_where_nobody_collects() -> None:
    program = "import sys; from timeline.metrics import Metrics; Metrics().told(); "
    program += "sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_where_prometheus_client_is_missing_a_sentence_says_how_to_install_it() -> None:
    program = (
        "import sys; sys.modules['prometheus_client'] = None; from timeline.metrics import Metrics\n"
        "from timeline.errors import PackageMissing\n"
        "try: Metrics(object())\n"
        "except PackageMissing as error: sys.exit('pip install' not in str(error))\n"
        "sys.exit(2)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_outcomes_are_counted_and_stand_at_zero_before_the_first(metrics: Metrics) -> None:
    assert value(metrics, "timeline_messages_total", outcome="quarantined") == 0
    commit(metrics)
    commit(metrics, quarantined={"not-json": 2, "no-time": 1})
    outcomes = {
        outcome: value(metrics, "timeline_messages_total", outcome=outcome)
        for outcome in ("in_scope", "out_of_scope", "quarantined")
    }
    assert outcomes == {"in_scope": 6, "out_of_scope": 2, "quarantined": 4}
    assert value(metrics, "timeline_quarantined_total", reason="not-json") == 3
    assert value(metrics, "timeline_quarantined_total", reason="no-time") == 1


def test_a_repeat_is_an_event_that_was_stored_without_a_new_body(metrics: Metrics) -> None:
    commit(metrics, events=10, bodies=4)
    assert value(metrics, "timeline_repeats_stored_total") == 6


def test_what_a_store_cannot_tell_is_absent_and_not_zero(metrics: Metrics) -> None:
    commit(metrics, events=None, bodies=None, duplicates=None)
    commit(metrics)
    for name in ("events_stored", "bodies_stored", "repeats_stored", "duplicates"):
        assert value(metrics, f"timeline_{name}_total") is None
    assert value(metrics, "timeline_messages_total", outcome="in_scope") == 6


def test_a_lag_is_counted_in_seconds_and_one_below_zero_as_none(metrics: Metrics) -> None:
    commit(metrics, lags=[-3_000_000, 0, 100_000, 100_001, 604_800_000_001])
    assert value(metrics, "timeline_lag_seconds_bucket", le="0.1") == 3
    assert value(metrics, "timeline_lag_seconds_bucket", le="0.25") == 4
    assert value(metrics, "timeline_lag_seconds_bucket", le="604800.0") == 4
    assert value(metrics, "timeline_lag_seconds_bucket", le="+Inf") == 5
    assert value(metrics, "timeline_lag_seconds_count") == 5
    assert value(metrics, "timeline_lag_seconds_sum") == pytest.approx(604_800.200002)


def test_a_value_on_a_bound_counts_below_it() -> None:
    spread = Spread.between((1.0, 2.0))
    spread.add([1.0, 2.0, 2.5, 0.5], (1.0, 2.0))
    assert (spread.counts, spread.total, spread.count) == ([2, 1, 1], 6.0, 4)


def test_words_beyond_those_that_can_be_ours_are_one_word(metrics: Metrics) -> None:
    for number in range(WORDS + 10):
        metrics.store_failed(f"Error{number}")
    assert len(metrics.told().tally.store_errors) == WORDS + 1
    assert value(metrics, "timeline_store_errors_total", error=OTHER) == 10


def test_a_commit_says_that_the_store_answers_and_a_failure_that_it_does_not(metrics: Metrics) -> None:
    assert value(metrics, "timeline_store_available") == 0
    commit(metrics)
    assert value(metrics, "timeline_store_available") == 1
    metrics.store_failed("StoreUnavailable")
    assert value(metrics, "timeline_store_available") == 0
    metrics.store_available(True)
    assert value(metrics, "timeline_store_available") == 1
    assert value(metrics, "timeline_store_errors_total", error="StoreUnavailable") == 1


def test_there_is_no_last_commit_before_the_first(metrics: Metrics) -> None:
    assert value(metrics, "timeline_last_commit_timestamp_seconds") is None
    commit(metrics)
    assert value(metrics, "timeline_last_commit_timestamp_seconds") is not None


def test_what_was_told_changes_no_more(metrics: Metrics) -> None:
    told = metrics.told()
    before = msgspec.json.encode(told)
    commit(metrics)
    metrics.connected(True)
    metrics.store_failed("StoreBusy")
    assert msgspec.json.encode(told) == before


def test_what_is_told_travels_between_processes() -> None:
    told = busy().told()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Told) == told


def test_the_numbers_of_several_processes_are_added_up() -> None:
    told = [busy().told(), busy().told()]
    assert value(told, "timeline_messages_read_total") == 12
    assert value(told, "timeline_messages_redelivered_total") == 4
    assert value(told, "timeline_quarantined_total", reason="not-json") == 2
    assert value(told, "timeline_lag_seconds_count") == 6
    assert value(told, "timeline_commit_seconds_count") == 2
    assert value(told, "timeline_unreadable_fields_total") == 4
    assert value(told, "timeline_reconnects_total") == 2
    assert value(told, "timeline_stale_acknowledgements_total") == 8
    assert value(told, "timeline_store_errors_total", error="StoreBusy") == 2
    assert value(told, "timeline_unacknowledged_messages") == 2
    assert value(told, "timeline_workers") == 2


def test_several_processes_are_connected_when_all_of_them_are() -> None:
    one, other = busy(), busy()
    assert value([one.told(), other.told()], "timeline_connected") == 1
    other.connected(False)
    other.store_available(False)
    assert value([one.told(), other.told()], "timeline_connected") == 0
    assert value([one.told(), other.told()], "timeline_store_available") == 0


def test_of_several_processes_the_last_turn_is_that_of_the_slowest() -> None:
    slow, quick = Metrics(), Metrics()
    quick.turned()
    turned_at = slow.told().standing.turned_at
    found = value([slow.told(), quick.told()], "timeline_last_turn_timestamp_seconds")
    assert found == pytest.approx(turned_at / 1_000_000, abs=0.0001)
