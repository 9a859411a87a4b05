"""Kinds of values: what type a column has, and that it gives back what was said."""

from __future__ import annotations

import json
import sys

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeline.errors import PackageMissing
from timeline.model import canonical
from timeline.replay.kinds import Kind, arrow_array, common, kind_of, need_arrow

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | FLOATS | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=5)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, None),
        (True, Kind.BOOL),
        (False, Kind.BOOL),
        ("", Kind.TEXT),
        ("null", Kind.TEXT),
        ("1", Kind.TEXT),
        (0, Kind.INT),
        (-1, Kind.INT),
        (2**63 - 1, Kind.INT),
        (2**63, Kind.JSON),
        (-(2**63), Kind.INT),
        (-(2**63) - 1, Kind.JSON),
        (1.0, Kind.FLOAT),
        (1e16, Kind.FLOAT),
        (1e-7, Kind.FLOAT),
        (-5e-324, Kind.FLOAT),
        ([], Kind.JSON),
        ({}, Kind.JSON),
    ],
    ids=repr,
)
def test_the_kind_of_a_value(value: object, kind: Kind | None) -> None:
    assert kind_of(canonical(value)) is kind


def test_a_number_of_more_digits_than_python_reads_is_json() -> None:
    assert kind_of(b"1" + b"0" * 5_000) is Kind.JSON


def test_values_of_several_kinds_are_json_and_no_values_are_text() -> None:
    assert common([]) is Kind.TEXT
    assert common([Kind.INT, Kind.INT]) is Kind.INT
    assert common([Kind.INT, Kind.FLOAT]) is Kind.JSON
    assert common([Kind.JSON]) is Kind.JSON


@pytest.mark.parametrize(
    ("values", "kind", "type"),
    [
        (st.booleans(), Kind.BOOL, pyarrow.bool_()),
        (INT64, Kind.INT, pyarrow.int64()),
        (FLOATS, Kind.FLOAT, pyarrow.float64()),
        (TEXTS, Kind.TEXT, pyarrow.string()),
    ],
)
def test_a_column_of_one_kind_gives_back_its_values(
    values: st.SearchStrategy[object], kind: Kind, type: pyarrow.DataType
) -> None:
    @settings(deadline=None)
    @given(st.lists(values))
    def check(said: list[object]) -> None:
        spelled = [canonical(value) for value in said]
        assert {kind_of(value) for value in spelled} <= {kind}
        column = arrow_array(kind, spelled)
        column.validate(full=True)
        assert column.type == type
        assert [canonical(value) for value in column.to_pylist()] == spelled

    check()


@settings(deadline=None)
@given(st.lists(VALUES.filter(lambda value: value is not None)))
def test_a_column_of_json_holds_the_canonical_text_of_any_value(said: list[object]) -> None:
    column = arrow_array(Kind.JSON, [canonical(value) for value in said])
    assert column.type == pyarrow.string()
    assert [canonical(json.loads(value)) for value in column.to_pylist()] == [canonical(value) for value in said]


@pytest.mark.parametrize("package", ["pyarrow", "numpy"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_arrow("a test")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        PackageMissing, match=rf"^a test needs {package}, .*: pip install 'resource-timeline\[arrow\]'$"
    ):
        need_arrow("a test")
