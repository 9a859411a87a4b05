"""The engine and the oracle, which was written apart from it, answer alike; and what every timeline has in common."""

from collections.abc import Iterator
from itertools import count, pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event as seen
from hypothesis import given
from hypothesis import strategies as st

from tests import oracle
from tests.histories import (
    History,
    by_resource,
    create,
    delete,
    deliver,
    differences,
    equal,
    exists,
    histories,
    instants,
    plain_explanation,
    plain_segment,
    plain_state,
    random_history,
    restore,
    thorough,
    timeline,
    update,
)
from timeline import drivers
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine
from timeline.model import Existence
from timeline.replay import Timeline

FIELDS = ("x", "y", "m")
_fresh = count()


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One store for many histories, each in a source of its own: what one leaves must not change another's answers."""
    path: Path = tmp_path_factory.mktemp("oracle") / "timeline.db"
    with Engine(drivers.open(f"sqlite:///{path}")) as engine:
        engine.prepare()
        yield engine


def memory() -> Engine:
    return Engine(MemoryDriver())


def elsewhere(told: History, source: str) -> History:
    return [{**each, "source": source} for each in told]


def one_resource(told: History) -> History:
    return max(by_resource(told).values(), key=len)


def segments(told: History) -> list[dict[str, Any]]:
    return list(map(plain_segment, timeline(told).segments))


# The oracle's opinion


@given(histories())
@thorough(300)
def test_every_answer_is_the_oracles(told: History) -> None:
    seen(f"{len(by_resource(told))} resources")
    assert list(differences(deliver(memory(), told), told)) == []


@given(told=histories())
@thorough(100)
def test_every_answer_from_sqlite_is_the_oracles(sqlite: Engine, told: History) -> None:
    told = elsewhere(told, f"chosen {next(_fresh)}")
    assert list(differences(deliver(sqlite, told), told)) == []


def test_every_answer_from_sqlite_about_seeded_histories_is_the_oracles(sqlite: Engine) -> None:
    for seed in range(150):
        told = random_history(seed, source=f"seeded {seed}")
        assert list(differences(deliver(sqlite, told), told)) == []


@pytest.mark.parametrize("seed", range(4))
def test_every_answer_about_a_long_history_is_the_oracles(seed: int) -> None:
    told = random_history(f"long {seed}", moves=80, at_least=40)
    assert list(differences(deliver(memory(), told), told)) == []


@given(histories(), st.data())
@thorough(150)
def test_between_is_the_oracles_for_any_two_bounds(told: History, data: st.DataObject) -> None:
    told = one_resource(told)
    bounds = st.integers(min(instants(told)) - 1, max(instants(told)) + 1)
    found = timeline(told)
    for _ in range(10):
        first, last = data.draw(bounds), data.draw(bounds)
        assert equal(list(map(plain_segment, found.between(first, last))), oracle.between(told, first, last))
        everything = oracle.timeline(told)
        clipped = [each for each in everything if each["start"] < last]
        clipped = [{**each, "end": last if each["end"] is None else min(each["end"], last)} for each in clipped]
        assert equal(list(map(plain_segment, found.between(None, last))), clipped)


@given(histories())
@thorough(150)
def test_explain_is_the_oracles_at_every_instant(told: History) -> None:
    told = one_resource(told)
    found = timeline(told)
    for at, field in product(instants(told), FIELDS):
        assert equal(plain_explanation(found.explain(at, field)), oracle.explain(told, at, field))


@given(histories())
@thorough(150)
def test_the_events_that_no_life_holds_and_are_no_deletes_are_the_posthumous_ones(told: History) -> None:
    told = one_resource(told)
    known = oracle.known(told, None)
    lived = {oracle.key(each) for life in oracle.lives(known) for each in life.said}
    effectless = [oracle.digest(each) for each in known if oracle.key(each) not in lived and each["phase"] != 90]
    assert [each.body.digest for each in timeline(told).posthumous] == effectless


# What all timelines have in common


@given(histories(), st.randoms(use_true_random=False))
@thorough(200)
def test_a_timeline_is_the_same_in_whatever_order_its_events_come(told: History, random: Any) -> None:
    told = one_resource(told)
    shuffled = told + told[::2]
    random.shuffle(shuffled)
    assert equal(segments(shuffled), segments(told))


@given(histories())
@thorough(200)
def test_neighbours_meet_and_differ_and_only_the_last_segment_is_open(told: History) -> None:
    found = segments(one_resource(told))
    for one, following in pairwise(found):
        assert one["start"] < one["end"] == following["start"]
        assert not equal({**one, "start": 0, "end": 0, "born": 0}, {**following, "start": 0, "end": 0, "born": 0})
    assert found[-1]["end"] is None
    assert found[0]["start"] == min(each["occurred_at"] for each in one_resource(told))
    assert all(each["fields"] == {} and each["ambiguous"] == [] for each in found if each["existence"] != "present")


@given(histories(), st.sampled_from([-(10**15), -1, 1, 86_400_000_000, 1_772_323_200_000_000]))
@thorough(150)
def test_shifting_every_time_shifts_the_timeline(told: History, by: int) -> None:
    told = one_resource(told)
    moved = [{**each, "end": None if each["end"] is None else each["end"] + by} for each in segments(told)]
    shifted = [{**each, "occurred_at": each["occurred_at"] + by} for each in told]
    assert equal(segments(shifted), [{**each, "start": each["start"] + by} for each in moved])


@given(histories(), histories())
@thorough(100)
def test_what_is_said_of_other_resources_changes_nothing(told: History, others: History) -> None:
    ours = elsewhere(one_resource(told), "ours")
    near = [*elsewhere(others, ""), *elsewhere(others, "ours "), *({**each, "id": "b"} for each in ours)]
    who = ours[0]["type"], ours[0]["id"]
    alone, crowded = deliver(memory(), ours), deliver(deliver(memory(), near), ours)
    assert crowded.timeline(*who, source="ours").segments == alone.timeline(*who, source="ours").segments
    for at in instants(ours):
        assert equal(
            plain_state(crowded.state(*who, at, source="ours")), plain_state(alone.state(*who, at, source="ours"))
        )


@given(histories(), st.data())
@thorough(100)
def test_a_diff_applied_to_the_old_state_gives_the_new_one(told: History, data: st.DataObject) -> None:
    found = timeline(one_resource(told))
    times = st.sampled_from(instants(told))
    before, after = data.draw(times), data.draw(times)
    told_apart = found.diff(before, after)
    fields = {name: value for name, value in found.at(before).fields.items() if name not in told_apart.removed}
    assert not fields.keys() & told_apart.added.keys()
    for name, (old, new) in told_apart.changed.items():
        assert equal(fields[name], old)
        assert not equal(old, new)
        fields[name] = new
    assert equal({**fields, **told_apart.added}, dict(found.at(after).fields))
    assert told_apart.existence == (found.at(before).existence, found.at(after).existence)


@given(histories())
@thorough(100)
def test_the_fleet_is_its_resources_one_by_one_whatever_is_asked_of_their_fields(told: History) -> None:
    engine = deliver(memory(), told)
    at = max(each["occurred_at"] for each in told) - 1
    each_by_itself = [engine.state(kind, name, at, source=source) for kind, source, name in by_resource(told)]
    assert list(engine.resources(at=at, existence=tuple(Existence))) == each_by_itself
    present = [state for state in each_by_itself if state.existence is Existence.PRESENT]
    assert list(engine.resources(at=at)) == present
    assert list(engine.resources("volume", at)) == [each for each in present if each.resource.type == "volume"]
    for value in (1, 1.0, True, "1", None, ""):
        having = [each for each in present if "x" in each.fields and equal(each.fields["x"], value)]
        assert list(engine.resources(at=at, where={"x": value})) == having


# The state straight from the store, by name


SHORTER_ROAD = {
    "the delete said the same": [update(1, f=1), delete(2, f=1), restore(3, c=1)],
    "a straggler said the same": [update(1, f=1), delete(2), update(3, f=1), restore(4, c=1)],
    "stragglers of two rivals": [update(1, f=1), update(1, f=2), delete(2), update(3, f=1), exists(3, f=2), restore(4)],
    "a straggler of the second death": [
        *(update(1, f=1), delete(2), restore(3), update(4, g=1), delete(5), update(6, f=1), update(6, g=1)),
        restore(7),
    ],
    "a body of an earlier life": [update(1, f=1), delete(2), create(3, g=1), update(5, f=1)],
    "genesis with the body of an update": [create(1, f=1), delete(2), create(3, f=1), update(4, f=2)],
}


@pytest.mark.parametrize("named", SHORTER_ROAD)
@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_the_state_straight_from_the_store_is_the_folds_where(named: str, store: str, sqlite: Engine) -> None:
    told = elsewhere(SHORTER_ROAD[named], named)
    engine = deliver(sqlite if store == "sqlite" else memory(), told)
    assert list(differences(engine, told)) == []


def test_a_restored_life_still_has_the_fields_that_a_straggler_repeated() -> None:
    engine = deliver(memory(), SHORTER_ROAD["a straggler said the same"])
    assert engine.state("instance", "a", 4).fields == {"f": 1, "c": 1}
    assert [each.fields for each in engine.resources(at=4)] == [{"f": 1, "c": 1}]


def test_what_was_not_known_yet_is_not_even_listed_as_unknown() -> None:
    engine = deliver(memory(), [{**update(1), "recorded_at": 10}, {**update(1), "id": "b", "recorded_at": 20}])
    listed = [each.resource.id for each in engine.resources(at=0, existence=tuple(Existence), as_known_at=20)]
    assert listed == ["a"]
    assert list(engine.resources(at=0, existence=tuple(Existence), as_known_at=10)) == []


def test_as_known_at_an_instant_leaves_out_what_was_recorded_at_it() -> None:
    engine = deliver(memory(), [{**update(1, f=1), "recorded_at": 10}, {**update(2, f=2), "recorded_at": 20}])
    found: Timeline = engine.timeline("instance", "a", as_known_at=20)
    assert [each.occurred_at for each in found.events] == [1]
    assert engine.state("instance", "a", 5, as_known_at=20).fields == {"f": 1}
    assert engine.state("instance", "a", 5, as_known_at=21).fields == {"f": 2}
    assert engine.state("instance", "a", 5, as_known_at=10).existence is Existence.UNKNOWN
