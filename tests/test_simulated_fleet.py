"""The simulated fleet through the engine, with the definitions that come with it: every timeline is what happened."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import timeline
from simulator import Fleet
from tests.histories import equal, plain_segment
from timeline.engine import Engine
from timeline.model import Existence

FLEET = Fleet(seed=3, instances=200, days=30, late=0.05, duplicated=0.05, reordered=0.05)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path: Path = tmp_path_factory.mktemp("fleet") / "timeline.db"
    with timeline.open(f"sqlite:///{path}") as engine:
        engine.prepare()
        counts = engine.ingest(FLEET.notifications(envelope="mixed"))
        assert counts.notifications == counts.in_scope > 100_000
        assert counts.quarantined == counts.unreadable_fields == 0
        assert counts.duplicates
        yield engine


def test_every_timeline_is_what_happened(engine: Engine) -> None:
    known: list[dict[str, Any]] = list(FLEET.truth())
    assert len(known) == 200
    for instance in known:
        found = engine.timeline("instance", instance["id"])
        assert equal(list(map(plain_segment, found.segments)), instance["segments"])


def test_the_state_of_the_fleet_is_what_happened_at_any_instant(engine: Engine) -> None:
    known: dict[str, Any] = {f"{instance['id']}": instance["segments"] for instance in FLEET.truth()}
    starts = sorted(segment["start"] for segments in known.values() for segment in segments)
    for at in starts[:: len(starts) // 20]:
        right = {
            name: segment["fields"]
            for name, segments in known.items()
            for segment in segments
            if segment["existence"] == "present" and segment["start"] <= at < (segment["end"] or at + 1)
        }
        found = {state.resource.id: dict(state.fields) for state in engine.resources("instance", at)}
        assert equal(found, right)
        everything = engine.resources("instance", at, existence=tuple(Existence))
        assert [state.resource.id for state in everything] == sorted(known)


def test_a_fleet_ingested_again_stores_nothing_new(engine: Engine) -> None:
    before, version = engine.status(), engine.driver.version()
    some_of_it = Fleet(seed=3, instances=10, days=30, duplicated=0.5)
    counts = engine.ingest(some_of_it.notifications(envelope="mixed"))
    assert counts.in_scope > 5_000
    assert (counts.events, counts.bodies, counts.duplicates) == (0, 0, counts.in_scope)
    assert (engine.status(), engine.driver.version()) == (before, version)
