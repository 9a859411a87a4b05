"""A definition file with a mistake is refused whole, with its file, its line and what is wrong there."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definitions.reading import definitions, event, fields
from timeline.definitions import Definitions, reader
from timeline.definitions.plugins import PLUGINS
from timeline.definitions.traits import TYPES
from timeline.errors import DefinitionError
from timeline.model import Phase

RESOURCE = "  resource: {type: thing, id: payload.id}\n"


def refusal(text: str) -> DefinitionError:
    with pytest.raises(DefinitionError) as refused:
        Definitions.read(text, "their.yaml")
    error = refused.value
    assert str(error).startswith("their.yaml:" if error.line is None else f"their.yaml:{error.line}: ")
    assert "\n" not in str(error)
    assert len(str(error)) < 300
    return error


def with_trait(trait: str) -> str:
    return f"- event_type: a.b\n{RESOURCE}  traits:\n    ok: payload.ok\n    it: {trait}\n"


def with_key(key: str) -> str:
    return f"- event_type: a.b\n{RESOURCE}  {key}\n  traits: {{ok: payload.ok}}\n"


# What is not known, or not there


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1", 1, ["list of definitions"]),
        ("text", 1, ["list of definitions"]),
        ("\n---\n# nothing\n5\n", 4, ["list of definitions"]),
        ("- event_type: a\n  traits: {}\n- a.b\n", 3, ["a definition is a map", "'a.b'"]),
        ("- traits: {}\n", 1, ["event_type"]),
        ("\n- event_type: a.b\n", 2, ["traits"]),
        ("- event_type: []\n  traits: {}\n", 1, ["no event type"]),
        ("- event_type:\n    - a\n    - 5\n  traits: {}\n", 3, ["event type is a text", "5"]),
        ("- event_type: {a: b}\n  traits: {}\n", 1, ["event type is a text"]),
        ("- event_type: a\n  traits:\n", 2, ["traits is a map"]),
        ("- event_type: a\n  traits: [a]\n", 2, ["traits is a map"]),
        (with_key("bogus: 1"), 3, ["no key 'bogus'", "event_type, traits, version"]),
        (with_key("bogus:\n    very:\n      deep: 1"), 3, ["no key 'bogus'"]),
        (with_key("5: 1"), 3, ["a key of a definition is a text", "5"]),
        (with_key("version: -1"), 3, ["version"]),
        (with_key("version: 2147483648"), 3, ["version"]),
        (with_key("version: 1.0"), 3, ["version"]),
        (with_key("version: true"), 3, ["version"]),
        (with_key("version: '1'"), 3, ["version"]),
        (with_key("empty_as_null: 'yes'"), 3, ["empty_as_null is true or false"]),
        (with_key("occurred_at: []"), 3, ["path"]),
        (with_key("occurred_at: 5"), 3, ["a path is a text", "5"]),
        (with_key("aliases: [a]"), 3, ["aliases is a map"]),
        (with_key("aliases: {nobody: name}"), 3, ["'nobody'", "no trait"]),
        (with_key("aliases: {ok: 5}"), 3, ["text", "5"]),
        (with_key("phase: Create"), 3, ["'Create'", ", ".join(phase.name.lower() for phase in Phase)]),
        (with_key("phase: 10"), 3, ["a phase is a text"]),
        (with_key("phase: {when: payload.x}"), 3, ["needs 'phase'"]),
        (with_key("phase: {phase: end, whenever: payload.x}"), 3, ["no key 'whenever'", "when"]),
        (with_key("phase: {phase: end, is: 1}"), 3, ["'when'"]),
        (with_key("phase: {phase: end, not: 1}"), 3, ["'when'"]),
        (with_key("phase: {phase: end, when: payload.x, is: 1, not: 2}"), 3, ["never both"]),
        (with_key("phase: {phase: end, when: payload.x, is: [{a: 1}]}"), 3, ["cannot be compared"]),
        (with_key("phase: {phase: end, when: [payload.x, payload.y]}"), 3, ["a path is a text"]),
        (with_key("phase:\n    - end\n    - {phase: ended}"), 5, ["'ended'"]),
        ("- event_type: a\n  resource: thing\n  traits: {}\n", 2, ["a resource is a map"]),
        ("- event_type: a\n  resource: {id: payload.id}\n  traits: {}\n", 2, ["a resource needs 'type'"]),
        ("- event_type: a\n  resource: {type: a}\n  traits: {}\n", 2, ["a resource needs 'id'"]),
        ("- event_type: a\n  resource: {type: a, id: b, ids: c}\n  traits: {}\n", 2, ["no key 'ids'", "source, each"]),
        ("- event_type: a\n  resource: {type: a/b, id: b}\n  traits: {}\n", 2, ["without a slash"]),
        ("- event_type: a\n  resource: {type: '', id: b}\n  traits: {}\n", 2, ["1 to 64 bytes"]),
        (f"- event_type: a\n  resource: {{type: {'é' * 33}, id: b}}\n  traits: {{}}\n", 2, ["1 to 64 bytes"]),
        ("- event_type: a\n  resource: {type: 5, id: b}\n  traits: {}\n", 2, ["text", "5"]),
        ("- event_type: a\n  resource: {type: a, id: []}\n  traits: {}\n", 2, ["path"]),
        ("- event_type: a\n  resource: {type: a, id: [b, 5]}\n  traits: {}\n", 2, ["a path is a text"]),
        (with_trait("{}"), 5, ["'it'", "'fields'"]),
        (with_trait("{type: int}"), 5, ["'it'", "'fields'"]),
        (with_trait("{field: payload.x}"), 5, ["'it'", "no key 'field'", "fields, type, plugin, volatile"]),
        (with_trait("\n      fields: payload.x\n      typ:\n        a: b"), 7, ["no key 'typ'"]),
        (with_trait(""), 5, ["a path is a text", "None"]),
        (with_trait("true"), 5, ["a path is a text", "True"]),
        (with_trait("[]"), 5, ["path"]),
        (with_trait("[payload.x, 5]"), 5, ["a path is a text"]),
        (with_trait("{fields: .nan}"), 5, ["finite"]),
        (with_trait("{fields: payload.x, type: string}"), 5, ["'string'", ", ".join(TYPES)]),
        (with_trait("{fields: payload.x, type: none}"), 5, ["'none'"]),
        (with_trait("{fields: payload.x, type: 5}"), 5, ["trait type is a text"]),
        (with_trait("{fields: payload.x, volatile: 1}"), 5, ["volatile is true or false"]),
        (with_trait("{fields: payload.x, empty_as_null: ''}"), 5, ["empty_as_null is true or false"]),
        (with_trait("{fields: payload.x, plugin: shout}"), 5, ["'shout'", ", ".join(PLUGINS)]),
        (with_trait("{fields: payload.x, plugin: 5}"), 5, ["a plugin is a text"]),
        (with_trait("{fields: payload.x, plugin: {parameters: {}}}"), 5, ["a plugin needs a name"]),
        (with_trait("{fields: payload.x, plugin: {name: split, parameter: {}}}"), 5, ["no key 'parameter'"]),
        (with_trait("{fields: payload.x, plugin: {name: split, parameters: [1]}}"), 5, ["parameters", "is a map"]),
    ],
)
def test_what_is_unknown_or_missing_is_refused_by_its_line(text: str, line: int, words: list[str]) -> None:
    error = refusal(text)
    assert error.line == line
    assert error.file == "their.yaml"
    assert all(word in str(error) for word in words), str(error)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("split", "{separators: .}"),
        ("split", "{separator: ''}"),
        ("split", "{separator: 5}"),
        ("split", "{segment: '1'}"),
        ("split", "{segment: 1.0}"),
        ("split", "{max_split: one}"),
        ("map", "{}"),
        ("map", ""),
        ("map", "{values: {}}"),
        ("map", "{values: [a, b]}"),
        ("map", "{values: {a: {b: c}}}"),
        ("map", "{values: {a: [b]}}"),
        ("map", "{values: {a: .inf}}"),
        ("map", "{values: {a: b}, default: .nan}"),
        ("map", "{values: {a: b}, default: []}"),
        ("map", "{values: {a: b}, defaults: c}"),
        ("bitfield", "{initial_bitfield: '1'}"),
        ("bitfield", "{flags: a}"),
        ("bitfield", "{flags: [a]}"),
        ("bitfield", "{flags: [{path: a}]}"),
        ("bitfield", "{flags: [{bit: 1}]}"),
        ("bitfield", "{flags: [{path: [a], bit: 1}]}"),
        ("bitfield", "{flags: [{path: a, bit: 63}]}"),
        ("bitfield", "{flags: [{path: a, bit: -1}]}"),
        ("bitfield", "{flags: [{path: a, bit: one}]}"),
        ("bitfield", "{flags: [{path: a, bit: 1, values: 1}]}"),
        ("timedelta", "{unit: seconds}"),
        ("sum", "{of: 2}"),
    ],
)
def test_a_plugin_that_cannot_be_made_is_refused_by_its_line(name: str, parameters: str) -> None:
    error = refusal(with_trait(f"{{fields: payload.x, plugin: {{name: {name}, parameters: {parameters}}}}}"))
    assert error.line == 5
    assert f"plugin {name!r}" in str(error)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("payload.x[?name='a'].value", "a filter"),
        ("payload.x[? (name = 5)]", "a filter"),
        ("publisher_id.`split(., 1, 1)`", "a function in backticks"),
        ("payload.x.`len`", "a function in backticks"),
        ("payload.x.`sub(/&/, b)`", "a function in backticks"),
        ("payload.a + payload.b", "arithmetic"),
        ("payload.a+1", "arithmetic"),
        ("payload.a - 1", "arithmetic"),
        ("payload.a * 2", "arithmetic"),
        ("payload.a/payload.b", "arithmetic"),
        ("payload.a & payload.b", "an intersection"),
        ("payload.a&payload.b", "an intersection"),
        ("payload.", "ends too soon"),
        ("payload..", "ends too soon"),
        ("payload[0", "ends too soon"),
        ("payload..[", "ends too soon"),
        ("", "no JSONPath"),
        ("payload.0", "no JSONPath"),
        ("payload.é", "no JSONPath"),
        ("payload.x[0,1]", "no JSONPath"),
        ("payload.'x", "no JSONPath"),
        ("where", "no JSONPath"),
        ("payload.x.where.y", "no JSONPath"),
        ("$a", "no JSONPath"),
        ("a.*" * 400, "longer than"),
    ],
)
def test_a_path_that_cannot_be_evaluated_is_refused_by_name_and_line(path: str, named: str) -> None:
    quoted = "'" + path.replace("'", "''") + "'"
    for text, line in (
        (with_trait(quoted), 5),
        (with_trait(f"\n      fields:\n        - payload.ok\n        - {quoted}"), 8),
        (with_key(f"occurred_at: {quoted}"), 3),
        (with_key(f"phase: {{phase: end, when: {quoted}}}"), 3),
        (f"- event_type: a\n  resource:\n    type: a\n    id: {quoted}\n  traits: {{}}\n", 4),
    ):
        error = refusal(text)
        assert named in str(error)
        assert error.line == line


# What is no YAML, or more than YAML should be asked to


# each line is nine of the line before: a few bytes that would be millions of values
BOMB = "- &a [l,l,l,l,l,l,l,l,l]\n" + "".join(
    f"- &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)
MERGING_BOMB = "- &a {event_type: x, traits: {}}\n" + "".join(
    f"- &{name} {{<<: [{','.join([f'*{before}'] * 9)}]}}\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("- event_type: 'a\n", 2, "not YAML"),
        ("- event_type: a\n\ttraits: {}\n", 2, "not YAML"),
        ("- a\n- [\n", 3, "not YAML"),
        ("- event_type: a\n traits: {}\n", 2, "not YAML"),
        ("[]\n---\n[]\n", 2, "single document"),
        ("- *nobody\n", 1, "undefined alias"),
        ("- event_type: a\n  traits: {}\n  traits: {}\n", 3, "'traits' stands here twice"),
        (with_trait("payload.x\n    it: payload.y"), 6, "'it' stands here twice"),
        ("- {? [a] : b}\n", 1, "a key is a list or a map"),
        ("- event_type: 2026-03-01\n  traits: {}\n", 1, "in quotes"),
        (with_trait("2026-03-01T12:00:00Z"), 5, "in quotes"),
        (with_trait("2026-13-45"), 5, "in quotes"),
        (with_trait("!!binary aGFsbG8="), 5, "in quotes"),
        (with_trait("!!bool perhaps"), 5, "in quotes"),
        (with_trait("!!int ''"), 5, "in quotes"),
        (with_trait("!!float ''"), 5, "in quotes"),
        (with_trait("!!timestamp soon"), 5, "in quotes"),
        (with_trait("9" * 5_000), 5, "in quotes"),
        (with_trait("!!python/object/apply:os.system [ls]"), 5, "python/object/apply"),
        (with_trait("!!python/object/new:os.system {a: b}"), 5, "python/object/new"),
        (with_trait("!!omap [fields: payload.x]"), 5, "omap"),
        ("!!set {a, b}\n", 1, "set"),
        (with_trait("!!python/name:os.system"), 5, "python/name"),
        (with_trait("!secret x"), 5, "!secret"),
        (with_trait("\x00"), 5, "#x0000"),
        (with_trait("\x1b[31m"), 5, "#x001b"),
        (with_trait("\ud800"), 5, "surrogate"),
        ("- &a [*a]\n", 1, "aliases"),
        ("- &a {event_type: a, traits: *a}\n", 1, "aliases"),
        ("- &a\n  <<: *a\n  event_type: a\n", 1, "aliases"),
        ("- <<: 5\n", 1, "only maps can be merged"),
        ("- <<: [{}, 5]\n", 1, "only maps can be merged"),
        (BOMB, 1, "aliases"),
        (MERGING_BOMB, 1, "aliases"),
        ("[" * 100_000, 1, "nested deeper than 20 levels"),
        ("- " * 100_000, 1, "nested deeper than 20 levels"),
        ("{a: " * 100_000, 1, "nested deeper than 20 levels"),
        ("- a\n- " + "[" * 20 + "]" * 20 + "\n", 2, "nested deeper than 20 levels"),
        ("#" * (reader.BYTES + 1), None, "bytes"),
        ("é" * (reader.BYTES // 2 + 1), None, "bytes"),
    ],
)
def test_what_is_no_yaml_of_ours_is_refused_by_its_line(text: str, line: int | None, word: str) -> None:
    error = refusal(text)
    assert word in str(error)
    assert error.line == line


def test_a_bomb_of_aliases_is_small_and_defused_by_counting() -> None:
    assert len(BOMB) < 240
    assert reader.NODES < 9**7


# What is read


MERGES = """
    - event_type: a.b
      resource: &thing {type: thing, id: payload.id}
      traits: &one {x: payload.one, y: payload.one, z: payload.one}
    - event_type: b.b
      resource: *thing
      traits: &two
        y: payload.two
        <<: *one
        w: payload.two
    - event_type: c.b
      resource: {<<: *thing, type: other}
      traits:
        <<: [{x: payload.first}, *two, *one]
        z: payload.three
"""


@pytest.mark.parametrize(
    ("event_type", "kind", "said"),
    [
        ("a.b", "thing", {"x": "one", "y": "one", "z": "one"}),
        ("b.b", "thing", {"x": "one", "y": "two", "z": "one", "w": "two"}),
        ("c.b", "other", {"x": "first", "y": "two", "z": "three", "w": "two"}),
    ],
)
def test_merged_maps_give_what_the_map_itself_does_not_say_and_the_first_of_several_wins(
    event_type: str, kind: str, said: dict[str, str]
) -> None:
    payload = {"id": "1", **{name: name for name in ("one", "two", "three", "first")}}
    read_as = event(definitions(MERGES), event_type=event_type, payload=payload)
    assert (read_as.resource.type, read_as.body.fields()) == (kind, said)


def test_a_definition_stands_where_its_entry_begins() -> None:
    assert [each.line for each in definitions(MERGES)] == [2, 5, 11]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n...\n", "[]", "---\n[]\n", "%YAML 1.1\n---\n[]\n"])
def test_a_file_without_a_definition_is_refused_since_all_would_be_out_of_scope(text: str, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text(text)
    with pytest.raises(DefinitionError, match=r"empty\.yaml: there is no definition in it"):
        Definitions.load(tmp_path / "empty.yaml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_may_begin_with_a_byte_order_mark_and_come_from_windows(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "d.yaml"
    file.write_bytes(with_trait("payload.'\u00e9'").replace("\n", end).encode(encoding))
    assert fields(Definitions.load(file), {"\u00e9": "x"}) == {"it": "x"}
    assert fields(Definitions.load(str(file)), {"\u00e9": "x"}) == {"it": "x"}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"- \xe9\n")
    for path, words in (
        (tmp_path / "no.yaml", "No such file"),
        (tmp_path, "directory"),
        (latin, "byte 2 is not UTF-8"),
    ):
        with pytest.raises(DefinitionError, match=words) as refused:
            Definitions.load(path)
        assert str(refused.value).startswith(f"{path}: ")


@given(st.text(st.sampled_from("-:?[]{}&*!|>'\"#%@`,<= \n\tab01.\x00\ud800é"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_list_of_definitions_or_refused(text: str) -> None:
    try:
        Definitions.read(text)
    except DefinitionError as error:
        place = str(error)
    else:
        place = "<text>"
    assert place.startswith("<text>")
