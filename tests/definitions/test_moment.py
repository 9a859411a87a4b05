"""When a message says that it happened, and where in an operation it stands: its time and its phase."""

from typing import Any

import pytest

from tests.definitions.reading import AT, definitions, event, of_trait, refusal
from timeline import clock
from timeline.model import Phase

# When it happened


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        (None, "no-time"),
        ("", "no-time"),
        ("None", "no-time"),
        (0, "unreadable-time"),
        (1336508628.5, "unreadable-time"),
        (["2026-03-01"], "unreadable-time"),
        ({}, "unreadable-time"),
        ("yesterday", "unreadable-time"),
        ("2026-02-30", "unreadable-time"),
        ("10000-01-01", "unreadable-time"),
    ],
)
def test_a_missing_or_unreadable_time_is_refused_and_never_made_up(timestamp: Any, reason: str) -> None:
    assert refusal(of_trait("payload.x"), payload={"id": "1"}, timestamp=timestamp).reason == reason


def test_the_time_is_the_timestamp_of_the_message_in_either_view() -> None:
    read_by = of_trait("payload.x")
    for members in (
        {"timestamp": "9999-12-31T23:59:59.9999999Z"},
        {"timestamp": None, "metadata": {"timestamp": "9999-12-31 23:59:59.999999"}},
    ):
        assert event(read_by, payload={"id": "1"}, **members).occurred_at == clock.MAX
    assert event(read_by, payload={"id": "1"}, timestamp="0001-01-01").occurred_at == clock.MIN


@pytest.mark.parametrize(
    ("payload", "members", "expected"),
    [
        ({"at": "2026-01-01"}, {}, "2026-01-01"),
        ({"at": ""}, {}, AT),
        ({"at": "None"}, {}, AT),
        ({"at": None}, {}, AT),
        ({}, {}, AT),
        ({}, {"timestamp": None, "metadata": {"timestamp": "2026-01-02"}}, "2026-01-02"),
        ({"at": "2026-01-01"}, {"timestamp": "unreadable"}, "2026-01-01"),
        ({"at": "soon"}, {}, "unreadable-time"),
        ({"at": 5}, {}, "unreadable-time"),
        ({}, {"timestamp": ""}, "no-time"),
    ],
)
def test_a_definition_may_name_a_time_in_the_payload(payload: Any, members: dict[str, Any], expected: str) -> None:
    read_by = of_trait("payload.x", occurred_at="[payload.at, timestamp]")
    message = {"payload": {"id": "1", **payload}, **members}
    if expected.endswith("-time"):
        assert refusal(read_by, **message).reason == expected
    else:
        assert event(read_by, **message).occurred_at == clock.parse(expected)


def test_a_time_that_a_rule_names_stands_before_that_of_the_definition() -> None:
    rule = "{phase: delete, when: payload.gone, occurred_at: [payload.gone]}"
    read_by = of_trait("payload.x", phase=rule, occurred_at="[payload.at, timestamp]")
    gone = event(read_by, payload={"id": "1", "gone": "2026-01-01", "at": "2026-01-02"})
    assert (gone.phase, gone.occurred_at) == (Phase.DELETE, clock.parse("2026-01-01"))
    assert event(read_by, payload={"id": "1", "at": "2026-01-02"}).occurred_at == clock.parse("2026-01-02")


# Phases


@pytest.mark.parametrize("phase", list(Phase))
def test_a_definition_may_name_its_phase(phase: Phase) -> None:
    for spelled in (phase.name.lower(), f"[{phase.name.lower()}]", f"{{phase: {phase.name.lower()}}}"):
        assert event(of_trait("payload.x", phase=spelled), payload={"id": "1"}).phase is phase


RULES = """[
    {phase: delete, when: payload.deleted_at, occurred_at: payload.deleted_at},
    {phase: create, when: payload.action, is: [build, 1]},
    {phase: restore, when: payload.action, is: true},
    {phase: error, when: 'payload.faults[*].code', is: 500},
    {phase: repair, when: payload.known, is: null},
    {phase: start, when: payload.state, not: [active, null]}]"""


@pytest.mark.parametrize(
    ("payload", "phase"),
    [
        ({"deleted_at": "2026-01-01"}, Phase.DELETE),
        ({"deleted_at": "2026-01-01", "action": "build"}, Phase.DELETE),
        ({"deleted_at": "", "action": "build"}, Phase.CREATE),
        ({"deleted_at": "None", "action": 1}, Phase.CREATE),
        ({"deleted_at": None, "action": True}, Phase.RESTORE),
        ({"action": 1.0}, Phase.UPDATE),
        ({"action": "1"}, Phase.UPDATE),
        ({"faults": [{"code": 400}, {"code": 500}]}, Phase.ERROR),
        ({"faults": [{"code": 400}]}, Phase.UPDATE),
        ({"known": None}, Phase.REPAIR),
        ({"state": "building"}, Phase.START),
        ({"state": ""}, Phase.START),
        ({"state": "active"}, Phase.UPDATE),
        ({"state": None}, Phase.UPDATE),
        ({}, Phase.UPDATE),
    ],
)
def test_the_phase_may_depend_on_the_message(payload: dict[str, Any], phase: Phase) -> None:
    said = event(of_trait("payload.x", phase=RULES.replace("\n", " ")), payload={"id": "1", **payload})
    assert said.phase is phase
    assert said.occurred_at == clock.parse("2026-01-01" if phase is Phase.DELETE else AT)


def test_where_no_rule_holds_the_event_type_tells_the_phase() -> None:
    read_by = definitions("""
        - event_type: '*'
          resource: {type: thing, id: message_id}
          phase: [{phase: repair, when: payload.x}]
          traits: {}
    """)
    for event_type, phase in (("a.create.start", Phase.CREATE), ("a.delete.end", Phase.DELETE), ("a", Phase.UPDATE)):
        assert event(read_by, event_type=event_type, payload={}).phase is phase
        assert event(read_by, event_type=event_type, payload={"x": 0}).phase is Phase.REPAIR
