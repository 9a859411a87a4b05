"""Which resource a sample speaks of: by the rule of its meter, by a type that is given, or by columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import timeline
from tests.histories import thorough
from timeline import JoinCounts, clock
from timeline.definitions import Definitions
from timeline.engine import Engine
from timeline.model import Body, Event, Phase, Resource

NOON = clock.parse("2026-03-01T12:00:00Z")
VM = "9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10"
RULES = Definitions.read(
    """
events:
- event_type: told
  resource: {type: instance, id: payload.id}
  traits: {x: payload.x}
samples:
- {meter: 'disk.*', type: instance}
- {meter: 'disk.device.*', type: instance, id: '(.+)-[a-z]+'}
- {meter: ['volume.*', '!volume.pool.*'], type: volume}
- {meter: cpu, type: instance, cumulative: true}
"""
)
KNOWN = (
    ("instance", "", "a"),
    ("instance", "west", "a"),
    ("volume", "", "a"),
    ("volume", "", "b"),
    ("instance", "", VM),
)


def engine_of(definitions: Definitions | None = None) -> Engine:
    """An engine on a store in which each resource says its own name."""
    engine = timeline.open("memory:", definitions=definitions)
    for type, source, id in KNOWN:
        resource = Resource(type=type, source=source, id=id)
        body = Body.of({"x": f"{type} {source} {id}"})
        engine.driver.append([Event(resource, NOON, Phase.UPDATE, body, NOON, "t")])
    return engine


def samples(**columns: list[Any]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    return pa.table({"timestamp": pa.array([NOON] * rows)} | columns)


def forms(table: pa.Table) -> list[Any]:
    """The same samples as text, dictionary-encoded, in batches, and as dicts."""
    encoded = pa.table(
        {
            name: column.dictionary_encode() if pa.types.is_string(column.type) else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))
    return [table, encoded, reader, table.to_pylist()]


def told(joined: Any) -> list[Any]:
    if isinstance(joined, pa.RecordBatchReader):
        joined = joined.read_all()
    return [row["x"] for row in (joined.to_pylist() if isinstance(joined, pa.Table) else joined)]


@pytest.mark.parametrize("form", range(4))
def test_the_meter_tells_the_type(form: int) -> None:
    table = samples(
        resource_id=["a", "a", "a-vda", "a-vda", "b", "b", "a", None],
        meter=["cpu", "volume.size", "disk.device.read", "disk.read", "volume.size", "cpu", "volume.pool.size", "cpu"],
    )
    counts: list[JoinCounts] = []
    joined = engine_of(RULES).join(forms(table)[form], ["x"], progress=counts.append)
    assert told(joined) == ["instance  a", "volume  a", "instance  a", None, "volume  b", None, None, None]
    assert counts[-1].no_rule == {"volume.pool.size": 1}


@pytest.mark.parametrize("form", range(4))
def test_a_given_type_overrides_the_meter(form: int) -> None:
    table = samples(resource_id=["a", "b", "a-vda"], meter=["cpu", "cpu", "disk.device.read"])
    assert told(engine_of(RULES).join(forms(table)[form], ["x"], type="volume")) == ["volume  a", "volume  b", None]


@pytest.mark.parametrize("form", range(4))
def test_a_type_that_is_empty_is_that_of_nothing(form: int) -> None:
    table = samples(resource_id=["a", "b"], meter=["cpu", "volume.size"])
    assert told(engine_of(RULES).join(forms(table)[form], ["x"], type="")) == [None, None]


@pytest.mark.parametrize("form", range(4))
def test_a_column_of_types_overrides_the_meter_where_it_has_one(form: int) -> None:
    table = samples(
        resource_id=["a", "a", "a", "a"], meter=["cpu", "cpu", "cpu", None], kind=["volume", None, "nothing", None]
    )
    counts: list[JoinCounts] = []
    engine = engine_of(RULES)
    joined = engine.join(forms(table)[form], ["x"], columns={"type": "kind"}, progress=counts.append)
    assert told(joined) == ["volume  a", "instance  a", None, None]
    assert counts[-1].no_rule == {"": 1}


@pytest.mark.parametrize("form", range(4))
def test_a_source_is_given_or_in_a_column(form: int) -> None:
    table = samples(resource_id=["a", "a", "a"], meter=["cpu", "cpu", "cpu"], region=["west", "", None])
    engine = engine_of(RULES)
    assert told(engine.join(forms(table)[form], ["x"], source="west")) == ["instance west a"] * 3
    joined = engine.join(forms(table)[form], ["x"], columns={"source": "region"})
    assert told(joined) == ["instance west a", "instance  a", None]


@pytest.mark.parametrize("form", range(4))
def test_the_rules_that_are_shipped_know_the_real_meters(form: int) -> None:
    table = samples(
        resource_id=[VM, f"{VM}-vda", f"instance-0000001a-{VM}-tap1234abcd-ef", "b", VM],
        meter=["memory.usage", "disk.device.read.bytes", "network.incoming.bytes", "volume.size", "nobody.knows"],
    )
    counts: list[JoinCounts] = []
    told(engine_of().join(forms(table)[form], ["x"], progress=counts.append))
    assert (counts[-1].present, counts[-1].unknown, counts[-1].no_rule) == (4, 1, {"nobody.knows": 1})


@thorough(60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "a-vda", "nobody", None]),
            st.sampled_from(["cpu", "disk.device.x", "volume.size", "else", None]),
            st.sampled_from(["instance", "volume", None, None]),
            st.sampled_from(["", "west", None]),
        ),
        max_size=30,
    )
)
def test_columns_and_dicts_agree_on_what_each_sample_speaks_of(rows: list[tuple[str | None, ...]]) -> None:
    table = pa.table(
        {
            "timestamp": pa.array([NOON] * len(rows), pa.int64()),
            **{
                name: pa.array([row[place] for row in rows], pa.string())
                for place, name in enumerate(("resource_id", "meter", "type", "source"))
            },
        }
    )
    engine = engine_of(RULES)
    columns = {"type": "type", "source": "source"}
    by_dicts = [row["x"] for row in engine.join(table.to_pylist(), ["x"], columns=columns)]
    for form in forms(table)[:3]:
        assert told(engine.join(form, ["x"], columns=columns)) == by_dicts


@pytest.mark.parametrize("policy", ["at", "split"])
@pytest.mark.parametrize(("indices", "size"), [("int8", 128), ("uint8", 256), ("uint64", 3)])
def test_dictionaries_as_long_as_their_indices_allow_leave_room_for_null(indices: str, size: int, policy: str) -> None:
    def column(known: list[str], *rows: int | None) -> pa.DictionaryArray:
        words = (known + [f"z{number}" for number in range(size)])[:size]
        return pa.DictionaryArray.from_arrays(pa.array(rows, pa.type_for_alias(indices)), pa.array(words))

    given = {
        "resource_id": column(["a", "b"], 0, None, 0, 1, 0, size - 1),
        "kind": column(["instance", "volume"], 0, 0, None, 1, 1, None),
        "meter": column(["cpu", "volume.size"], None, 0, 0, None, 1, 1),
    }
    asked: dict[str, Any] = {"columns": {"type": "kind"}, "policy": policy}
    joined = engine_of(RULES).join(samples(**given), ["x"], **asked)
    plain = engine_of(RULES).join(samples(**{name: each.to_pylist() for name, each in given.items()}), ["x"], **asked)
    assert joined["x"].to_pylist() == ["instance  a", None, "instance  a", "volume  b", "volume  a", None]
    assert joined.select(["existence", "x"]).equals(plain.select(["existence", "x"]))
