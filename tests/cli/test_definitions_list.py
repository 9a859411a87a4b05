"""What ``timeline definitions list`` tells of a file: its definitions, or its sample rules if these are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.messages import DEFINITIONS
from tests.cli.running import run

RULES = """\
samples:
- {meter: ['thing', 'thing.*', '!thing.x'], type: thing}
- {meter: thing.part, type: thing, id: '([^-]+)-.+', cumulative: true}
"""


@pytest.mark.usefixtures("folder")
def test_sample_rules_are_listed_in_the_order_of_their_file() -> None:
    Path("rules.yaml").write_text(RULES)
    expected = [
        {
            "meter": ["thing", "thing.*", "!thing.x"],
            "type": "thing",
            "id": None,
            "cumulative": False,
            "place": "rules.yaml:2",
        },
        {
            "meter": ["thing.part"],
            "type": "thing",
            "id": "([^-]+)-.+",
            "cumulative": True,
            "place": "rules.yaml:3",
        },
    ]
    ran = run("definitions", "list", "--samples", "--definitions", "rules.yaml")
    assert ran.code == 0
    assert json.dumps(ran.lines) == json.dumps(expected)
    as_list = run("definitions", "list", "--samples", "--definitions", "rules.yaml", "--format", "json")
    assert as_list.json == expected


@pytest.mark.usefixtures("folder")
def test_a_table_of_sample_rules_tells_which_file_each_stands_in() -> None:
    Path("rules.yaml").write_text(RULES)
    ran = run("definitions", "list", "--samples", "--definitions", "rules.yaml", "--format", "table")
    lines = [line.split() for line in ran.out.splitlines() if "thing" in line]
    assert lines == [
        ["thing,", "thing.*,", "!thing.x", "thing", "(the", "whole)", "false", "rules.yaml:2"],
        ["thing.part", "thing", "([^-]+)-.+", "true", "rules.yaml:3"],
    ]


@pytest.mark.usefixtures("folder")
def test_a_file_without_sample_rules_has_the_shipped_ones_and_one_of_rules_alone_the_shipped_definitions() -> None:
    # things.yaml, which is in force, is a list
    rules = run("definitions", "list", "--samples").lines
    assert {Path(rule["place"].rpartition(":")[0]).name for rule in rules} == {"event_definitions.yaml"}
    assert ["disk.device.*"] in [rule["meter"] for rule in rules]
    Path("rules.yaml").write_text(RULES)
    listed = run("definitions", "list", "--definitions", "rules.yaml").lines
    assert {Path(line["place"].rpartition(":")[0]).name for line in listed} == {"event_definitions.yaml"}
    assert "instance" in [line["resource"] for line in listed]


@pytest.mark.usefixtures("folder")
def test_a_map_of_definitions_is_listed_as_the_list_of_them() -> None:
    listed = run("definitions", "list").lines
    Path("map.yaml").write_text(f"{RULES}events:\n{DEFINITIONS}")
    again = run("definitions", "list", "--definitions", "map.yaml").lines
    without_place = [[{**line, "place": ""} for line in lines] for lines in (listed, again)]
    assert without_place[0] == without_place[1]
    assert [line["place"] for line in again] == ["map.yaml:5", "map.yaml:16"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("samples", [(), ("--samples",)])
def test_a_mistake_in_a_sample_rule_is_told_by_its_place(samples: tuple[str, ...]) -> None:
    Path("bad.yaml").write_text(RULES.replace("cumulative", "counts"))
    ran = run("definitions", "list", *samples, "--definitions", "bad.yaml")
    assert (ran.code, ran.out) == (1, "")
    (line,) = ran.sentences
    assert line.startswith("timeline: bad.yaml:3: a sample rule has no key 'counts'")
