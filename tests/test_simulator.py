"""The simulated fleet: the same again by its seed, in the order of delivery, and its truth is true."""

import json
import shlex
import tracemalloc
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

import simulator.__main__ as command
from simulator import Fleet

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3_600_000_000
FIELDS = {
    # field: where the payload has it
    "project_id": "tenant_id",
    "user_id": "user_id",
    "name": "display_name",
    "state": "state",
    "created_at": "created_at",
    "launched_at": "launched_at",
    "flavor": "instance_type",
    "flavor_id": "instance_flavor_id",
    "vcpus": "vcpus",
    "memory_mb": "memory_mb",
    "root_gb": "root_gb",
    "ephemeral_gb": "ephemeral_gb",
    "disk_gb": "disk_gb",
    "image_id": "image_meta",
    "host": "host",
    "node": "node",
    "availability_zone": "availability_zone",
    "architecture": "architecture",
    "os_type": "os_type",
    "metadata": "metadata",
}
BUSY = Fleet(seed=3, instances=30, days=3, changes_per_day=6, deleted=0.5)
BROKEN = Fleet(
    seed=3,
    instances=30,
    days=3,
    changes_per_day=6,
    deleted=0.5,
    late=0.2,
    duplicated=0.2,
    reordered=0.3,
)


def microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) // timedelta(microseconds=1)


def opened(notification: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(notification)
    if "oslo.message" in message:
        assert message["oslo.version"] == "2.0"
        message = json.loads(message["oslo.message"])
    return message


def event(message: dict[str, Any]) -> str:
    return str(message["event_type"]).removeprefix("compute.instance.")


def said(payload: dict[str, Any]) -> dict[str, Any]:
    """The twenty fields as a reader of the payload sees them."""
    fields = {field: payload[key] for field, key in FIELDS.items()}
    fields["image_id"] = payload["image_meta"]["base_image_ref"]
    for field in ("created_at", "launched_at"):
        text = fields[field]
        at = EPOCH + timedelta(microseconds=microseconds(text)) if text else None
        fields[field] = at and at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return fields


def replayed(notifications: list[bytes]) -> dict[str, list[dict[str, Any]]]:
    """What the messages tell, by the simplest reader: each says the whole state at its time."""
    told: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for notification in notifications:
        message = opened(notification)
        payload = message["payload"]
        at = microseconds(payload["deleted_at"] or message["timestamp"])
        told[payload["instance_id"]][at] = {} if payload["deleted_at"] else said(payload)
    timelines: dict[str, list[dict[str, Any]]] = {}
    for instance, states in told.items():
        segments: list[dict[str, Any]] = []
        for at, fields in sorted(states.items()):
            if segments and segments[-1]["fields"] == fields:
                continue
            if segments:
                segments[-1]["end"] = at
            segments.append(
                {
                    "start": at,
                    "end": None,
                    "existence": "present" if fields else "deleted",
                    "life": 1,
                    "born": "create",
                    "ambiguous": [],
                    "fields": fields,
                }
            )
        timelines[instance] = segments
    return timelines


def truth(fleet: Fleet) -> dict[str, Any]:
    return {str(instance["id"]): instance["segments"] for instance in fleet.truth()}


def test_equal_arguments_give_equal_bytes() -> None:
    assert list(BROKEN.notifications(envelope="mixed")) == list(BROKEN.notifications(envelope="mixed"))
    assert list(BROKEN.truth()) == list(BROKEN.truth())


def test_another_seed_gives_another_fleet() -> None:
    one, other = Fleet(seed=1, instances=5, days=1), Fleet(seed=2, instances=5, days=1)
    assert not set(truth(one)) & set(truth(other))
    assert not set(one.notifications()) & set(other.notifications())


def test_an_instance_does_not_depend_on_how_many_others_there_are() -> None:
    few, many = Fleet(instances=3, days=2), Fleet(instances=9, days=2)
    assert list(few.truth()) == list(many.truth())[:3]
    assert set(few.notifications()) <= set(many.notifications())


def test_without_faults_the_order_of_delivery_is_the_order_of_time() -> None:
    times = [microseconds(opened(message)["timestamp"]) for message in BUSY.notifications()]
    assert len(times) > 1000
    assert times == sorted(times)
    assert times == [arrives for arrives, _ in BUSY.deliveries()]


def test_with_faults_messages_arrive_in_the_order_of_their_arrival_and_never_before_their_time() -> None:
    deliveries = list(BROKEN.deliveries())
    arrivals = [arrives for arrives, _ in deliveries]
    times = [microseconds(opened(message)["timestamp"]) for _, message in deliveries]
    assert arrivals == sorted(arrivals)
    assert times != sorted(times)
    assert all(at <= arrives for at, arrives in zip(times, arrivals, strict=True))


def test_each_fault_strikes_about_its_share_of_the_messages() -> None:
    plain = {"seed": 5, "instances": 40, "days": 5.0}
    whole = len(list(Fleet(**plain).notifications()))  # type: ignore[arg-type]

    def delays(**shares: float) -> list[int]:
        return [
            arrives - microseconds(opened(message)["timestamp"])
            for arrives, message in Fleet(**plain, **shares).deliveries()  # type: ignore[arg-type]
        ]

    late = [delay for delay in delays(late=0.1) if delay]
    assert len(late) / whole == pytest.approx(0.1, rel=0.2)
    assert min(late) >= 120 * 10**6
    assert 2 * 24 * HOUR < max(late) <= 3 * 24 * HOUR
    reordered = [delay for delay in delays(reordered=0.1) if delay]
    assert len(reordered) / whole == pytest.approx(0.1, rel=0.2)
    assert max(reordered) < 20 * 10**6
    assert len(delays(duplicated=0.1)) / whole == pytest.approx(1.1, rel=0.02)
    assert len(delays(lost=0.1)) / whole == pytest.approx(0.9, rel=0.02)
    assert delays(lost=1.0) == []


def test_a_duplicate_has_equal_bytes_unless_it_was_sent_anew_with_ids_of_its_own() -> None:
    for envelope in ("bare", "oslo2", "mixed"):
        copies: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        for notification in BROKEN.notifications(envelope=envelope):
            message = opened(notification)
            copies[message["payload"]["instance_id"], message["timestamp"]].append(notification)
        pairs = [pair for pair in copies.values() if len(pair) > 1]
        assert all(len(pair) == 2 for pair in pairs)
        anew = [pair for pair in pairs if pair[0] != pair[1]]
        assert len(anew) / len(pairs) == pytest.approx(0.25, abs=0.08)
        for first, second in (map(opened, pair) for pair in anew):
            for fresh in ("message_id", "_unique_id"):
                assert len(first[fresh]) == len(second[fresh])
                assert first.pop(fresh) != second.pop(fresh)
            assert first == second


def test_no_two_messages_share_an_id_where_nothing_is_duplicated() -> None:
    ids = [opened(message)["message_id"] for message in BUSY.notifications()]
    assert len(ids) == len(set(ids))


def test_no_two_messages_of_an_instance_have_one_time() -> None:
    moments = Counter(
        (message["payload"]["instance_id"], message["timestamp"]) for message in map(opened, BUSY.notifications())
    )
    assert set(moments.values()) == {1}


@pytest.mark.parametrize("envelope", ["bare", "oslo2", "mixed"])
def test_the_truth_is_what_the_messages_tell_whatever_their_order(envelope: str) -> None:
    assert replayed(list(BROKEN.notifications(envelope=envelope))) == truth(BROKEN)


def test_the_truth_knows_nothing_of_what_became_of_the_messages() -> None:
    assert truth(Fleet(instances=8, days=2, lost=0.5, late=0.5)) == truth(Fleet(instances=8, days=2))
    assert truth(Fleet(instances=8, days=2, audit=False)) == truth(Fleet(instances=8, days=2))


def test_the_truth_has_no_gaps_no_empty_segments_and_no_equal_neighbours() -> None:
    for segments in truth(BUSY).values():
        for one, following in pairwise(segments):
            assert one["start"] < one["end"] == following["start"]
            assert one["fields"] != following["fields"]
        assert segments[-1]["end"] is None
        present = segments[:-1] if segments[-1]["existence"] == "deleted" else segments
        assert all(segment["existence"] == "present" for segment in present)
        assert all(set(segment["fields"]) == set(FIELDS) for segment in present)
        assert segments[0]["fields"]["state"] == "building"
        assert segments[0]["fields"]["launched_at"] is None


def test_about_the_asked_share_is_deleted_and_changes_come_about_as_often_as_asked() -> None:
    fleet = Fleet(instances=300, days=20, changes_per_day=1, deleted=0.3, audit=False)
    known = truth(fleet)
    gone = [segments for segments in known.values() if segments[-1]["existence"] == "deleted"]
    assert len(gone) / 300 == pytest.approx(0.3, abs=0.08)
    end = microseconds(fleet.start) + 20 * 24 * HOUR
    days = sum(
        ((segments[-1]["start"] if segments[-1]["existence"] == "deleted" else end) - segments[0]["start"])
        / (24 * HOUR)
        for segments in known.values()
    )
    changes = Counter(event(opened(message)) for message in fleet.notifications())
    real = sum(
        changes[name]
        for name in (
            "finish_resize.end",
            "suspend.end",
            "resume.end",
            "power_off.end",
            "power_on.end",
            "live_migration.post.dest.end",
            "update",
        )
    )
    assert real / days == pytest.approx(1, rel=0.1)
    assert min(changes.values()) > 0
    assert changes["create.start"] == changes["create.end"] == 300
    assert changes["delete.end"] == len(gone)


def test_a_fleet_in_which_nothing_changes_is_built_and_stays() -> None:
    fleet = Fleet(instances=4, days=3, changes_per_day=0, deleted=0)
    assert all(len(segments) == 2 for segments in truth(fleet).values())


def test_a_resize_shows_the_new_flavor_and_host_from_finish_resize_end_on() -> None:
    by_instance: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for message in map(opened, Fleet(seed=9, instances=20, days=5, audit=False).notifications()):
        by_instance[message["payload"]["instance_id"]].append(message)
    resized = 0
    for messages in by_instance.values():
        names = [event(message) for message in messages]
        for at, name in enumerate(names):
            if name != "finish_resize.end":
                continue
            resized += 1
            assert names[at - 5 : at] == [
                "resize.prep.start",
                "resize.prep.end",
                "resize.start",
                "resize.end",
                "finish_resize.start",
            ]
            told = [message["payload"] for message in messages]
            old, new = told[at - 5], told[at]
            assert all(said(payload) == said(old) for payload in told[at - 5 : at])
            assert told[at - 4]["new_instance_type"] == new["instance_type"]
            assert new["state"] == "resized"
            assert new["instance_type"] != old["instance_type"]
            assert new["host"] != old["host"]
            assert new["launched_at"] > old["launched_at"]
            if "resize.confirm.end" in names[at:]:
                confirmed = told[names.index("resize.confirm.end", at)]
                assert said(confirmed) == {**said(new), "state": "active"}
    assert resized > 3


def test_a_start_describes_the_state_before_and_changes_nothing() -> None:
    before: dict[str, dict[str, Any]] = {}
    for message in map(opened, BUSY.notifications()):
        payload = message["payload"]
        if event(message).endswith(".start") and event(message) != "create.start":
            assert said(payload) == before[payload["instance_id"]]
        before[payload["instance_id"]] = said(payload)


def test_an_audit_speaks_of_the_hour_before_and_is_made_within_ten_minutes() -> None:
    launched: set[str] = set()
    audited: dict[str, list[int]] = defaultdict(list)
    for message in map(opened, BUSY.notifications()):
        payload = message["payload"]
        if event(message) == "create.end":
            launched.add(payload["instance_id"])
        if event(message) == "exists":
            beginning = microseconds(payload["audit_period_beginning"])
            ending = microseconds(payload["audit_period_ending"])
            assert ending == beginning + HOUR
            assert ending % HOUR == 0
            assert 0 <= microseconds(message["timestamp"]) - ending <= HOUR // 6
            assert payload["bandwidth"]["private"]["bw_in"] >= 0
            audited[payload["instance_id"]].append(beginning)
    assert set(audited) == launched
    for beginnings in audited.values():
        assert beginnings == list(range(beginnings[0], beginnings[-1] + HOUR, HOUR))


def test_the_audit_of_the_hour_of_its_deletion_still_reports_an_instance_and_later_ones_do_not() -> None:
    deleted: dict[str, str] = {}
    last: dict[str, dict[str, Any]] = {}
    for message in map(opened, BUSY.notifications()):
        payload = message["payload"]
        if event(message) == "delete.end":
            assert microseconds(payload["deleted_at"]) == microseconds(message["timestamp"])
            deleted[payload["instance_id"]] = payload["deleted_at"]
        if event(message) == "exists":
            assert payload["deleted_at"] == deleted.get(payload["instance_id"], "")
            assert (payload["state"] == "deleted") == bool(payload["deleted_at"])
            last[payload["instance_id"]] = payload
    end = microseconds(BUSY.start) + 3 * 24 * HOUR
    early = {instance: at for instance, at in deleted.items() if microseconds(at) < end - 2 * HOUR}
    assert len(early) > 5
    for instance, at in early.items():
        assert last[instance]["deleted_at"] == at
        ending = microseconds(last[instance]["audit_period_ending"])
        assert ending - HOUR < microseconds(at) <= ending


def test_audits_can_be_rarer_or_left_out() -> None:
    kinds = Counter(event(opened(message)) for message in Fleet(instances=5, days=2, audit=False).notifications())
    assert kinds["exists"] == 0
    periods = {
        microseconds(payload["audit_period_ending"]) - microseconds(payload["audit_period_beginning"])
        for message in map(opened, Fleet(instances=5, days=2, audit_hours=12).notifications())
        if event(message) == "exists" and (payload := message["payload"])
    }
    assert periods == {12 * HOUR}


def test_some_envelope_times_have_no_fraction() -> None:
    stamps = [opened(message)["timestamp"] for message in BUSY.notifications()]
    whole = [stamp for stamp in stamps if "." not in stamp]
    assert 0 < len(whole) < len(stamps) / 10
    assert {len(stamp) for stamp in stamps} == {19, 26}


def test_messages_come_bare_in_oslos_envelope_or_by_turns() -> None:
    fleet = Fleet(instances=10, days=3)
    for notification in fleet.notifications():
        assert "_context_request_id" in json.loads(notification)
    for notification in fleet.notifications(envelope="oslo2"):
        assert set(json.loads(notification)) == {"oslo.version", "oslo.message"}
        assert "_context_request_id" in opened(notification)
    shapes = Counter(
        "oslo2" if "oslo.version" in message else "_context_request_id" in message
        for message in map(json.loads, fleet.notifications(envelope="mixed"))
    )
    assert len(shapes) == 3
    assert min(shapes.values()) > shapes.total() / 4


def test_a_message_is_as_large_as_real_ones_are() -> None:
    sizes = [len(message) for message in Fleet(instances=20, days=2).notifications()]
    assert 2_000 < sum(sizes) / len(sizes) < 2_500
    assert not any(b"\n" in message for message in BUSY.notifications(envelope="mixed"))


def test_who_acts_is_not_always_who_owns() -> None:
    actors = {
        (message["_context_project_id"] == message["payload"]["tenant_id"], event(message))
        for message in map(opened, BUSY.notifications())
    }
    assert (True, "create.end") in actors
    assert (False, "exists") in actors
    assert (False, "live_migration._post.end") in actors


def test_memory_does_not_grow_with_the_number_of_notifications() -> None:
    notifications = Fleet(instances=10, days=200, duplicated=0.05, reordered=0.05).notifications()
    tracemalloc.start()
    try:
        for _ in islice(notifications, 2_000):
            pass
        tracemalloc.reset_peak()
        for _ in islice(notifications, 2_000):
            pass
        _, early = tracemalloc.get_traced_memory()
        for _ in islice(notifications, 12_000):
            pass
        tracemalloc.reset_peak()
        for _ in islice(notifications, 2_000):
            pass
        _, later = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert later < early * 1.5


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"late": 1.5}, "late"),
        ({"lost": -0.1}, "lost"),
        ({"deleted": float("nan")}, "deleted"),
        ({"instances": -1}, "instances"),
        ({"days": 0}, "days"),
        ({"days": float("inf")}, "days"),
        ({"changes_per_day": -1}, "changes_per_day"),
        ({"audit_hours": 0}, "audit_hours"),
        ({"start": "yesterday"}, "yesterday"),
    ],
)
def test_a_fleet_that_cannot_be_is_refused_by_the_name_of_what_is_wrong(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Fleet(**wrong)


def test_an_unknown_envelope_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="oslo3"):
        Fleet().notifications(envelope="oslo3")


def test_the_smallest_fleets_work() -> None:
    assert list(Fleet(instances=0).notifications()) == []
    assert list(Fleet(instances=0).truth()) == []
    short = Fleet(instances=30, days=0.001, deleted=1, changes_per_day=10_000)
    assert replayed(list(short.notifications())) == truth(short)


def test_the_start_may_have_a_zone() -> None:
    assert truth(Fleet(instances=2, days=1, start="2026-01-01T02:00:00+02:00")) == truth(
        Fleet(instances=2, days=1, start="2026-01-01T00:00:00Z")
    )


def test_the_command_writes_what_the_fleet_yields(tmp_path: Path) -> None:
    out, known = tmp_path / "out.jsonl", tmp_path / "truth.jsonl"
    asked = "--instances 4 --days 1 --late 0.1 --duplicated 0.1 --seed 7 --envelope mixed"
    assert command.main([*asked.split(), "--out", str(out), "--truth", str(known)]) == 0
    fleet = Fleet(instances=4, days=1, late=0.1, duplicated=0.1, seed=7)
    assert out.read_bytes().splitlines() == list(fleet.notifications(envelope="mixed"))
    assert [json.loads(line) for line in known.read_bytes().splitlines()] == list(fleet.truth())


def test_the_command_writes_to_standard_output_and_stops_at_its_limit(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert command.main(["--instances", "2", "--days", "1", "--limit", "5", "--out", "-"]) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert lines == list(islice(Fleet(instances=2, days=1).notifications(), 5))


@pytest.mark.parametrize("wrong", ["--late 2", "--limit -1", "--truth -", "--envelope oslo3"])
def test_wrong_usage_of_the_command_ends_in_2(wrong: str) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--out", "-", *wrong.split()])
    assert ended.value.code == 2


def test_a_file_that_cannot_be_written_ends_the_command_in_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--out", str(tmp_path / "nowhere" / "out.jsonl")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_the_example_is_what_its_command_writes(tmp_path: Path) -> None:
    documented = (command.__doc__ or "").partition("python -m simulator ")[2]
    words = shlex.split(documented.replace("\\\n", ""))
    example = Path(__file__).parent.parent / words.pop()
    out = tmp_path / "out.jsonl"
    assert command.main([*words, str(out)]) == 0
    assert example.read_bytes() == out.read_bytes()
    assert example.stat().st_size <= 300_000
