"""Sample rules: which meters they are for, which resource they find, and what of a file is refused."""

import re
import textwrap
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeline.definitions import Definitions, SampleRule, SampleRules, samples
from timeline.errors import DefinitionError
from timeline.model import limits

EVENTS = "- {event_type: a.*, resource: {type: a, id: message_id}, traits: {}}\n"


def rules(text: str) -> SampleRules:
    spelled = textwrap.indent(textwrap.dedent(text).strip(), "  ")
    return Definitions.read(f"samples:\n{spelled}\n", "mine.yaml").samples


def rule(**keys: str) -> SampleRule:
    (only,) = rules("- {meter: m, type: thing}" if not keys else f"- {{meter: m, type: thing, {spelled(keys)}}}")
    return only


def spelled(keys: dict[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in keys.items())


def quoted(expression: str) -> str:
    return "'" + expression.replace("'", "''") + "'"


# Which meters a rule is for


@pytest.mark.parametrize(
    ("globs", "matching", "others"),
    [
        ("cpu", ["cpu"], ["cpu_util", "cpu.delta", "CPU", "hardware.cpu", "cpu\n", ""]),
        ("disk.*", ["disk.root.size", "disk."], ["disk", "hardware.disk.x"]),
        ("[volume, 'volume.*', '!volume.p*']", ["volume", "volume.size"], ["volume.provider.capacity.free"]),
        ("['!switch*']", ["cpu", ""], ["switch", "switch.port"]),
        ("'instance:*'", ["instance:m1.tiny", "instance:"], ["instance", "instances"]),
        ("'m[12].?'", ["m1.x"], ["m3.x", "m1.", "m[12].x"]),
    ],
)
def test_a_rule_is_for_the_meters_that_its_globs_name(globs: str, matching: list[str], others: list[str]) -> None:
    found = rules(f"- {{meter: {globs}, type: thing}}")
    (only,) = found
    assert [found.find(meter) for meter in matching] == [only] * len(matching)
    assert [found.find(meter) for meter in others] == [None] * len(others)
    assert all(map(only.matches, matching))
    assert not any(map(only.matches, others))


def test_the_last_rule_that_matches_decides_alone() -> None:
    spelt = {
        "one": "- {meter: 'm.*', type: one, cumulative: true}",
        "two": "- {meter: [m.b, m.c], type: two, id: '(.)x'}",
        "three": "- {meter: ['m.*', '!m.c'], type: three}",
    }
    matching = {"m.b": {"one", "two", "three"}, "m.c": {"one", "two"}, "m.d": {"one", "three"}}
    for order in permutations(spelt):
        found = rules("\n".join(spelt[name] for name in order))
        for meter, names in matching.items():
            last = [name for name in order if name in names][-1]
            decides = found.find(meter)
            assert decides is not None
            assert decides.type == last
            assert (decides.cumulative, decides.id is None) == (last == "one", last != "two")


def test_a_meter_is_looked_up_once_and_no_number_of_meters_is_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_REMEMBERED", 10)
    found = rules("- {meter: 'm*', type: thing}")
    (only,) = found
    for _ in range(2):
        for number in range(100):
            assert found.find(f"m{number}") is only
            assert found.find(f"x{number}") is None
            assert len(found._found) <= 10


def test_rules_stand_in_the_order_of_their_file_and_know_their_place() -> None:
    found = Definitions.read(
        "events:\n" + EVENTS + "samples:\n\n- meter: b\n  type: x\n- {meter: a, type: y}\n", "my.yaml"
    )
    assert [each.type for each in found.samples] == ["x", "y"]
    assert len(found.samples) == 2
    assert [found.samples.place(each) for each in found.samples] == ["my.yaml:5", "my.yaml:7"]
    assert [found.place(each) for each in found] == ["my.yaml:2"]


# Which resource it finds


LONG = "é" * (limits.ID_BYTES // 2)


@pytest.mark.parametrize("text", ["a", "a/b", "a\nb", " ", "a\x00b", "x" * limits.ID_BYTES, LONG])
def test_without_a_pattern_the_whole_is_the_id(text: str) -> None:
    assert rule().resource_id(text) == text


@pytest.mark.parametrize("text", ["", LONG + "x", "x" * (limits.ID_BYTES + 1), "\ud800", "x" * 100_000])
def test_what_no_resource_can_be_called_is_no_id(text: str) -> None:
    assert rule().resource_id(text) is None
    assert rule(id="'(.*)'").resource_id(text) is None
    assert rule(id="'x-(?s:(.*))-x'").resource_id(f"x-{text}-x") is None


@pytest.mark.parametrize(
    ("expression", "text", "id"),
    [
        ("(.+)-vda", "a-b-vda", "a-b"),
        ("(.+)-vda", "a-b-vda\n", None),
        ("(.+)-vda", "a-b-vdab", None),
        ("(.+)-vda", "-vda", None),
        ("(.*)-vda", "-vda", None),
        ("a|(b)", "a", None),
        ("a|(b)", "b", "b"),
        ("(?P<id>[^:]*):.*", "a:b:c", "a"),
        ("(?i)x-(.)", "X-y", "y"),
        ("(?s)(.+)", "a\nb", "a\nb"),
        ("(.+)", "a\nb", None),
        ("host-(é+)", "host-éé", "éé"),
        ("(?:(a)b?)+", "aba", "a"),
    ],
)
def test_a_pattern_matches_the_whole_and_its_group_is_the_id(expression: str, text: str, id: str | None) -> None:
    assert rule(id=quoted(expression)).resource_id(text) == id


def test_an_id_may_stand_in_more_text_than_an_id_may_have_but_not_in_any_amount() -> None:
    found = rule(id="'.*-(.)'")
    assert found.resource_id("x" * 2_046 + "-i") == "i"
    assert found.resource_id("x" * 2_047 + "-i") is None


def test_a_rule_is_a_value() -> None:
    (only,) = rules("- {meter: ['m.*', '!m.x'], type: thing, id: '(.)-x', cumulative: true}")
    assert only == SampleRule(
        included=("m.*",), excluded=("m.x",), type="thing", id=re.compile("(.)-x"), cumulative=True, line=2
    )
    assert rule() == SampleRule(included=("m",), excluded=(), type="thing", id=None, cumulative=False, line=2)


# Where rules and definitions stand


def test_a_list_and_a_map_without_samples_leave_the_shipped_rules() -> None:
    shipped = Definitions.load()
    for text in (EVENTS, f"events:\n{EVENTS}"):
        found = Definitions.read(text, "mine.yaml")
        assert [each.resource.type for each in found if each.resource] == ["a"]
        assert list(found.samples) == list(shipped.samples)
        rule = found.samples.find("cpu")
        assert rule is not None
        assert found.samples.place(rule) == shipped.samples.place(rule)
        assert Path(found.samples.place(rule).rpartition(":")[0]).is_file()


def test_a_map_without_events_leaves_the_shipped_definitions() -> None:
    shipped = Definitions.load()
    found = Definitions.read("samples:\n- {meter: m, type: thing}\n", "mine.yaml")
    assert [each.type for each in found.samples] == ["thing"]
    assert found.samples.find("cpu") is None
    assert len(found) == len(shipped)
    assert found.find("compute.instance.update") is not None
    assert [found.place(each) for each in found] == [shipped.place(each) for each in shipped]


def test_a_map_with_both_has_nothing_of_the_shipped_file() -> None:
    for text in (
        f"events:\n{EVENTS}samples: [{{meter: m, type: a}}]",
        f"samples: [{{meter: m, type: a}}]\nevents:\n{EVENTS}",
    ):
        found = Definitions.read(text)
        assert (len(found), len(found.samples)) == (1, 1)


def test_a_list_means_the_same_as_a_map_of_it() -> None:
    one, other = Definitions.read(f"\n{EVENTS}", "x"), Definitions.read(f"events:\n{EVENTS}", "x")
    (mine,), (theirs,) = one, other
    assert mine.included == theirs.included
    assert one.place(mine) == other.place(theirs) == "x:2"


def test_a_file_is_read_with_its_rules(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("samples:\n- {meter: m, type: thing}\n")
    found = Definitions.load(file).samples
    assert [found.place(each) for each in found] == [f"{file}:2"]


# What is refused


def refusal(text: str) -> DefinitionError:
    with pytest.raises(DefinitionError) as refused:
        Definitions.read(text, "their.yaml")
    error = refused.value
    assert str(error).startswith("their.yaml:" if error.line is None else f"their.yaml:{error.line}: ")
    assert "\n" not in str(error)
    assert len(str(error)) < 300
    return error


def with_rule(rule: str) -> str:
    return f"events:\n{EVENTS}samples:\n- {{meter: ok, type: thing}}\n- {rule}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("event:\n" + EVENTS, 1, ["list of definitions", "map of events and samples", "'event'"]),
        (f"events:\n{EVENTS}sample: []\n", 3, ["list of definitions", "'sample'"]),
        (f"events:\n{EVENTS}5: []\n", 3, ["5"]),
        (f"events:\n{EVENTS}events: []\n", 3, ["'events' stands here twice"]),
        ("events: text\n", 1, ["list of definitions"]),
        ("events: {a: b}\n", 1, ["list of definitions"]),
        ("\nevents:\n", 2, ["no definition in it"]),
        ("events: []\n", 1, ["no definition in it"]),
        ("events: []\nsamples: [{meter: m, type: a}]\n", 1, ["no definition in it"]),
        ("{}", None, ["no definition in it"]),
        (f"events:\n{EVENTS}samples:\n", 3, ["list of sample rules"]),
        (f"events:\n{EVENTS}samples: []\n", 3, ["list of sample rules"]),
        ("samples: {meter: m, type: a}\n", 1, ["list of sample rules"]),
        ("samples: text\n", 1, ["list of sample rules"]),
        (with_rule("m"), 5, ["a sample rule is a map", "'m'"]),
        (with_rule("{}"), 5, ["a sample rule needs 'meter'"]),
        (with_rule("{type: a}"), 5, ["a sample rule needs 'meter'"]),
        (with_rule("{meter: a}"), 5, ["a sample rule needs 'type'"]),
        (with_rule("{meter: a, type: a, source: b}"), 5, ["no key 'source'", "meter, type, id, cumulative"]),
        (with_rule("{meter: a, type: a, 5: b}"), 5, ["a key of a sample rule is a text"]),
        (with_rule("{meter: a, type: a, type: b}"), 5, ["'type' stands here twice"]),
        (with_rule("meter: []\n  type: a"), 5, ["meter names no meter"]),
        (with_rule("type: a\n  meter:"), 6, ["a meter is a text"]),
        (with_rule("type: a\n  meter: 5"), 6, ["a meter is a text", "5"]),
        (with_rule("type: a\n  meter: {a: b}"), 6, ["a meter is a text"]),
        (with_rule("type: a\n  meter:\n  - a\n  - [b]"), 8, ["a meter is a text"]),
        (with_rule("type: a\n  meter: ''"), 6, ["an empty glob"]),
        (with_rule("type: a\n  meter: [a, '!']"), 6, ["an empty glob"]),
        (with_rule("meter: a\n  type: a/b"), 6, ["without a slash"]),
        (with_rule("meter: a\n  type: ''"), 6, ["1 to 64 bytes"]),
        (with_rule(f"meter: a\n  type: {'é' * 33}"), 6, ["1 to 64 bytes"]),
        (with_rule("meter: a\n  type: 5"), 6, ["a resource type is a text"]),
        (with_rule("meter: a\n  type: [a]"), 6, ["a resource type is a text"]),
        (with_rule("meter: a\n  type: a\n  cumulative: 1"), 7, ["cumulative is true or false"]),
        (with_rule("meter: a\n  type: a\n  cumulative:"), 7, ["cumulative is true or false"]),
        (with_rule("meter: a\n  type: a\n  id:"), 7, ["regular expression", "text", "None"]),
        (with_rule("meter: a\n  type: a\n  id: 5"), 7, ["regular expression", "text", "5"]),
        (with_rule("meter: a\n  type: a\n  id: ['(a)', '(b)']"), 7, ["regular expression", "text"]),
    ],
)
def test_what_is_unknown_or_missing_is_refused_by_its_line(text: str, line: int | None, words: list[str]) -> None:
    error = refusal(text)
    assert error.line == line
    assert all(word in str(error) for word in words), str(error)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", ["0 groups"]),
        (".+", ["0 groups", "one is the id"]),
        ("(?:.+)", ["0 groups"]),
        ("(a)(b)", ["2 groups"]),
        ("(a)|(b)", ["2 groups"]),
        ("((a))", ["2 groups"]),
        ("(?P<id>a)(b)", ["2 groups"]),
        ("(a", ["no regular expression", "unterminated"]),
        ("a)", ["no regular expression", "unbalanced"]),
        ("(*)", ["no regular expression", "nothing to repeat"]),
        ("(a)\n(", ["no regular expression"]),
        ("(?<=a+)(b)", ["no regular expression", "fixed-width"]),
        ("(a){1,99999999999999999999}", ["no regular expression"]),
        ("([[a]-b)", ["no regular expression", "set"]),
        (r"(\q)", ["no regular expression"]),
        ("a(?i)(b)", ["no regular expression", "flags"]),
        ("(" + "a" * 500, ["longer than 500 characters"]),
    ],
)
def test_an_expression_that_is_none_or_has_not_one_group_is_refused(expression: str, words: list[str]) -> None:
    escaped = expression.replace("\\", r"\\").replace("\n", r"\n")
    error = refusal(with_rule(f'meter: a\n  type: a\n  id: "{escaped}"'))
    assert error.line == 7
    assert all(word in str(error) for word in words), str(error)


@pytest.mark.parametrize("depth", [1, 10, 99, 100, 124])
def test_groups_within_groups_are_compiled_or_refused(depth: int) -> None:
    text = with_rule(f"meter: a\n  type: a\n  id: {quoted('(?:' * depth + '(a)' + ')' * depth)}")
    try:
        found = Definitions.read(text).samples.find("a")
    except DefinitionError as error:
        told = str(error)
    else:
        assert found is not None
        told = found.resource_id("a") or ""
    assert told == "a" or "no regular expression" in told


@given(st.text(st.sampled_from("()[]{}?*+|.\\^$-:<>=!P1ax, \n"), max_size=40), st.text("ax1-:\n", max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_expression_or_refused(expression: str, text: str) -> None:
    spelt = expression.replace("\\", "\\\\").replace("\n", "\\n")
    try:
        (found,) = Definitions.read(f'samples: [{{meter: a, type: a, id: "{spelt}"}}]').samples
    except DefinitionError as error:
        place = str(error)
    else:
        id = found.resource_id(text)
        assert id is None or (id and id in text)
        place = found.type
    assert place == "a" or place.startswith("<text>:1: ")
