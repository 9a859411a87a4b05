"""Values that try a format in columns, and how such a format is read back, by the rules in the reference."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from timeline.cli import main
from timeline.model import Existence, Json, Resource, State

DEFINITIONS = """\
- event_type: thing.*
  resource: {type: thing, id: payload.id}
  traits:
    text: payload.text
    whole: {fields: payload.whole, type: value}
    number: {fields: payload.number, type: value}
    flag: {fields: payload.flag, type: value}
    mixed: {fields: payload.mixed, type: value}
    type: payload.mixed_type
    nulls: payload.mixed_type
    fields.type: payload.mixed_type
    "na,me": payload.mixed_type
"""

TEXTS = [
    "",
    " ",
    "plain",
    " blank before",
    "blank behind ",
    "comma,comma",
    'a "quote"',
    '"',
    '""',
    "two\nlines",
    "two\r\nlines",
    "null",
    " null ",
    "true",
    "1",
    "-0.5e3",
    "01",
    "+1",
    "NaN",
    "-Infinity",
    "None",
    "-",
    "[",
    "[]",
    "{not json",
    "=1+2",
    "@SUM(A1)",
    "träger 計算 \U0001f600",
    "\x00\x1b[31m\u2028\ufeff",
]
VALUES: list[Json] = [
    *TEXTS,
    None,
    True,
    False,
    0,
    1,
    -1,
    1.0,
    1e16,
    2**63 - 1,
    2**63,
    [],
    {},
    [None, "a,b"],
    {"": '"'},
]


def in_csv(text: str, before_fields: int | None = None) -> list[dict[str, Any]]:
    """Rows as they are read back: cells before the fields as text, and those fields that are collected."""
    names, *rows = cells(text)
    assert len(set(names)) == len(names)
    assert {len(row) for row in rows} <= {len(names)}
    told: list[dict[str, Any]] = []
    for row in rows:
        before = dict(zip(names[:before_fields], row, strict=False))
        if before_fields is not None:
            columns = zip(names[before_fields:], row[before_fields:], strict=True)
            before["fields"] = {name.removeprefix("fields."): value(cell) for name, cell in columns if cell}
        told.append(before)
    return told


def cells(text: str) -> list[list[str]]:
    """What stands in CSV, the names of the columns first."""
    return list(csv.reader(io.StringIO(text, newline="")))


def value(cell: str) -> Json:
    """The value of a field, by the rule in the reference of the command line."""
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def in_parquet(table: pyarrow.Table) -> list[dict[str, Any]]:
    """Rows as they are read back: cells before the fields as they are, of the fields those that are collected."""
    told = []
    for row in table.to_pylist():
        nulls = row.pop("nulls")
        fields = {}
        for column in table.schema:
            if b"timeline:field" not in (column.metadata or {}):
                continue
            name, said = column.metadata[b"timeline:field"].decode(), row.pop(column.name)
            if said is not None or name in nulls:
                encoded = said is not None and column.metadata.get(b"timeline:encoding") == b"json"
                fields[name] = json.loads(said) if encoded else said
        told.append({**row, "fields": fields})
    return told


def table_of(*command: str) -> pyarrow.Table:
    """What a command writes as Parquet."""
    written = io.BytesIO()
    out = io.TextIOWrapper(written)
    with pytest.MonkeyPatch.context() as streams:
        streams.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as ended:
            main([*command, "--format", "parquet"])
    assert ended.value.code == 0
    return parquet.read_table(io.BytesIO(written.getvalue()))


def same(some: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Equal to the last type: 1 is not 1.0."""
    assert json.dumps(some, sort_keys=True) == json.dumps(others, sort_keys=True)


def states(fields: list[dict[str, Json]]) -> list[State]:
    return [
        State(
            resource=Resource(type="thing", id=f"t{number}"), at=0, existence=Existence.PRESENT, life=1, fields=of_one
        )
        for number, of_one in enumerate(fields)
    ]
