"""The histories and the comparison with the oracle are worth something: engines that are wrong do not get through."""

from collections import Counter

import pytest

from tests import oracle
from tests.histories import History, by_resource, create, first_difference, random_history, update
from tests.mutants import MUTANTS
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine

HISTORIES = 1_200


@pytest.mark.parametrize("wrong", MUTANTS)
def test_the_oracle_catches_an_engine_that(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_difference(lambda: MUTANTS[wrong](monkeypatch), range(HISTORIES)) is not None


@pytest.mark.parametrize("part", range(4))
def test_the_engine_passes_the_same_comparison(part: int) -> None:
    assert first_difference(lambda: Engine(MemoryDriver()), range(part, HISTORIES, 4)) is None


def features(told: History) -> set[str]:
    """What of the hard days a history of one resource meets."""
    met = set()
    known = oracle.known(told, None)
    times = [oracle.group(each) for each in known]
    if len(set(times)) < len(times):
        met.add("simultaneous")
    if len(known) < len(told):
        met.add("duplicate")
    if any(each["version"] for each in known):
        met.add("version")
    newest = None
    for each in oracle.stored(told):
        earlier = [before for before in known if oracle.order(before) < oracle.order(each)]
        later = [after for after in known if oracle.order(after) > oracle.order(each)]
        if newest is not None and each["occurred_at"] < newest:
            met.add("late")
            if earlier and later and oracle.body(earlier[-1]) == oracle.body(later[0]) != oracle.body(each):
                met.add("late between two that say the same")
        newest = max(each["occurred_at"], each["occurred_at"] if newest is None else newest)
    lives = oracle.lives(known)
    lived = sum(len(life.said) for life in lives) + sum(each["phase"] == oracle.DELETE for each in known)
    met |= {f"{life.born} after a delete" for life in lives[1:]}
    if lived < len(known):
        met.add("straggler")
        met |= {"straggler and restore" for life in lives[1:] if life.born == "restore"}
    if any(segment["ambiguous"] for segment in oracle.timeline(told)):
        met.add("ambiguous")
    return met


def test_the_histories_meet_the_hard_days_often_enough() -> None:
    met = Counter(
        feature
        for seed in range(HISTORIES // 4)
        for feature in set[str]().union(*map(features, by_resource(random_history(seed)).values()))
    )
    for feature, least in {
        "simultaneous": 0.2,
        "duplicate": 0.2,
        "version": 0.2,
        "late": 0.4,
        "late between two that say the same": 0.1,
        "straggler": 0.2,
        "straggler and restore": 0.05,
        "create after a delete": 0.1,
        "restore after a delete": 0.1,
        "ambiguous": 0.1,
    }.items():
        assert met[feature] >= least * HISTORIES / 4, (feature, met)


def test_the_features_of_a_history_are_told_apart() -> None:
    assert features([create(1, x=1), update(2, x=2)]) == set()
    assert features([update(1, x=1), update(3, x=1), update(2, x=2)]) == {"late", "late between two that say the same"}
