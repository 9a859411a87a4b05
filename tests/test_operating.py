"""What operators are given: alert rules that fire when they should, a unit that systemd takes, and a page for each."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.tools import tool
from timeline.metrics import Metrics
from timeline.metrics.exposition import text

ROOT = Path(__file__).parent.parent
ALERTS = ROOT / "examples" / "alerts.yml"
UNIT = ROOT / "examples" / "timeline-consume.service"
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"][0]["rules"]
WHERE = {"instance": "host:9464", "job": "timeline"}

# For each alert what the metrics are when it has to fire, and when it must not: in the notation of promtool, by minutes
SERIES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "TimelineAbsent": ({}, {"timeline_workers": "1x200"}),
    "TimelineStuck": (
        {"timeline_last_turn_timestamp_seconds": "0x200"},
        {"timeline_last_turn_timestamp_seconds": "0+60x200"},
    ),
    "TimelineWithoutBus": ({"timeline_connected": "0x200"}, {"timeline_connected": "1x196 0 0 0 0"}),
    "TimelineWithoutStore": ({"timeline_store_available": "0x200"}, {"timeline_store_available": "1x200"}),
    "TimelineNotCommitting": (
        {"timeline_unacknowledged_messages": "500x200", "timeline_last_commit_timestamp_seconds": "0x200"},
        {"timeline_unacknowledged_messages": "0x200", "timeline_last_commit_timestamp_seconds": "0x200"},
    ),
    "TimelineWorkersDying": (
        {"timeline_workers": "4x180 3 4 4 3 3 4 3 4 4 4 4 4 4 4 4 4 4 4 4 4"},
        {"timeline_workers": "4x180 3 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4"},
    ),
    "TimelineReconnecting": ({"timeline_reconnects_total": "0+1x200"}, {"timeline_reconnects_total": "0x190 1x10"}),
    "TimelineQuarantining": (
        {'timeline_quarantined_total{reason="not-json"}': "0+1x200"},
        {'timeline_quarantined_total{reason="not-json"}': "0x190 1x10"},
    ),
    "TimelineDefect": (
        {'timeline_quarantined_total{reason="defect"}': "0x190 1x10"},
        {'timeline_quarantined_total{reason="not-json"}': "0x190 1x10"},
    ),
    "TimelineFieldsUnreadable": (
        {"timeline_unreadable_fields_total": "0+10x200"},
        {"timeline_unreadable_fields_total": "0x200"},
    ),
    "TimelineLagging": (
        {
            'timeline_lag_seconds_bucket{le="900.0"}': "0+1x200",
            'timeline_lag_seconds_bucket{le="+Inf"}': "0+10x200",
        },
        {
            'timeline_lag_seconds_bucket{le="900.0"}': "0+9x200",
            'timeline_lag_seconds_bucket{le="+Inf"}': "0+10x200",
        },
    ),
    "TimelineSilent": ({"timeline_messages_read_total": "7x200"}, {"timeline_messages_read_total": "0+1x200"}),
}


NEVER_COMMITTED = {"timeline_unacknowledged_messages": "500x200"}
JUST_COMMITTED = {"timeline_unacknowledged_messages": "500x200", "timeline_last_commit_timestamp_seconds": "0+60x200"}
ALL_STOPPED = {"timeline_messages_read_total": "0+1x150 150x50"}


def test_promtool_takes_the_rules() -> None:
    checked = subprocess.run([tool("promtool"), "check", "rules", ALERTS], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_is_tried_and_told_what_to_do_about() -> None:
    names = [rule["alert"] for rule in RULES]
    assert sorted(names) == sorted(SERIES)
    page = (ROOT / "docs" / "bus.rst").read_text("utf-8")
    for name in names:
        assert f"``{name}``" in page


def test_every_metric_is_explained() -> None:
    page = (ROOT / "docs" / "bus.rst").read_text("utf-8")
    for name in re.findall(r"^# TYPE (\w+) ", text([Metrics().told()]).decode(), re.MULTILINE):
        assert f"``{name}" in page


@pytest.mark.parametrize(
    ("alert", "given", "fires"),
    [
        pytest.param("TimelineNotCommitting", NEVER_COMMITTED, True, id="held and nothing ever committed"),
        pytest.param("TimelineNotCommitting", JUST_COMMITTED, False, id="held and committed all the time"),
        pytest.param("TimelineSilent", ALL_STOPPED, False, id="silent for less than two hours"),
    ],
)
def test_an_alert_knows_one_silence_from_another(
    alert: str, given: dict[str, str], fires: bool, tmp_path: Path
) -> None:
    assert _fired(alert, given, tmp_path) is fires


def test_alerts_name_metrics_that_there_are() -> None:
    shown = text([Metrics().told()]).decode()
    for rule in RULES:
        for name in re.findall(r"timeline_\w+", rule["expr"]):
            assert re.search(rf"^# TYPE {re.sub('_bucket$', '', name)} ", shown, re.MULTILINE), name


@pytest.mark.parametrize("fires", [True, False], ids=["fires", "does not"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_fires_when_it_should_and_not_else(rule: dict[str, Any], fires: bool, tmp_path: Path) -> None:
    given = SERIES[rule["alert"]][0 if fires else 1]
    found = _fired(rule["alert"], given, tmp_path)
    assert found is fires


def _fired(alert: str, given: dict[str, str], folder: Path) -> bool:
    """Whether the alert fires after three hours and twenty minutes of these metrics."""
    series = [{"series": _labelled(name), "values": values} for name, values in given.items()]
    asked = [{"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})', "eval_time": "199m"}]
    expected = [{**asked[0], "exp_samples": [{"value": 1}]}]
    test = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": expected}],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump(test))
    ran = subprocess.run([tool("promtool"), "test", "rules", file], capture_output=True, text=True)
    if ran.returncode:
        assert "got:" in ran.stdout + ran.stderr, ran.stdout + ran.stderr
    return ran.returncode == 0


def _labelled(name: str) -> str:
    metric, _, labels = name.partition("{")
    common = ",".join(f'{key}="{value}"' for key, value in WHERE.items())
    return f"{metric}{{{common}{',' + labels if labels else '}'}"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed: it comes with systemd")
    # the program and the user are this machine's: what is verified is the unit
    said = UNIT.read_text("utf-8").replace("/opt/timeline/bin/timeline", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(said)
    ran = subprocess.run([verify, "verify", "--man=no", unit], capture_output=True, text=True)
    assert (ran.returncode, UNIT.name in ran.stderr) == (0, False), ran.stderr


def test_the_unit_stops_no_sooner_than_the_program_may_take() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    from timeline.cli.workers import PATIENCE

    assert int(seconds) > PATIENCE
