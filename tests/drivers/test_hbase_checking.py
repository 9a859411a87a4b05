"""Damage in the tables of HBase is told: what, where, and of which resource."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.servers import place
from timeline import drivers
from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.contract import Damage, Problem
from timeline.errors import StoreCorrupt
from timeline.model import Outcome, Phase

happybase = pytest.importorskip("happybase")
from timeline.drivers.hbase import HbaseDriver, codec  # noqa: E402 - where there is no happybase, it cannot be

SMALL = event(1)
BODY = codec.reference(SMALL.body)
NAME = codec.name_of(VM)
ROW, COLUMN = codec.row_of(SMALL, codec.salted(NAME), BODY)
VALUE = codec.value_of(1, "x", None)


class Store:
    """A driver, and a hand that does to its tables what no driver does."""

    def __init__(self, driver: HbaseDriver, connection: happybase.Connection) -> None:
        self.driver = driver
        self.connection = connection

    def put(self, table: str, row: bytes, cells: dict[bytes, bytes]) -> None:
        self.connection.table(table).put(row, cells)

    def delete(self, table: str, row: bytes) -> None:
        self.connection.table(table).delete(row)

    def problems(self) -> list[Problem]:
        return list(self.driver.check())


@pytest.fixture
def store() -> Iterator[Store]:
    with place("hbase") as url, closing(drivers.open(url)) as driver:
        assert isinstance(driver, HbaseDriver)
        driver.prepare()
        driver.append([SMALL, event(2, "large"), event(3, phase=Phase.DELETE), event(1, of=number(1))])
        driver.put([record("aa"), record("bb")])
        driver.settle("bb", Outcome.STORED, 5)
        address, _, prefix = url.removeprefix("hbase://").partition("/")
        host, _, port = address.partition(":")
        with closing(happybase.Connection(host, int(port), table_prefix=prefix, timeout=60_000)) as connection:
            store = Store(driver, connection)
            assert store.problems() == []
            yield store


def test_a_body_that_is_missing_is_told_with_each_resource_that_may_be_touched(store: Store) -> None:
    store.delete("bodies", BODY)
    assert [(one.damage, one.resource) for one in store.problems()] == [(Damage.BODY_MISSING, VM)]
    assert BODY[:-1].hex() in store.problems()[0].detail
    with pytest.raises(StoreCorrupt, match=BODY[:-1].hex()):
        list(store.driver.events([VM]))


def test_a_body_with_other_bytes_is_told(store: Store) -> None:
    store.put("bodies", BODY, {b"d:b": b'{"f":{},"v":0}'})
    (problem,) = store.problems()
    assert problem.damage is Damage.BODY_DAMAGED
    assert BODY[:-1].hex() in problem.detail


def test_a_resource_that_cannot_be_found_is_told(store: Store) -> None:
    store.delete("meta", b"r" + NAME)
    store.delete("meta", b"i" + codec.id_first(number(1)))
    assert {(one.damage, one.resource) for one in store.problems()} == {
        (Damage.REFERENCE_MISSING, VM),
        (Damage.REFERENCE_MISSING, number(1)),
    }


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (b"\0", {COLUMN: VALUE}),
        (b"\0" + b"a\0\1" * 2, {COLUMN: VALUE}),
        (b"\0\xff\0\1a\0\1a\0\1", {COLUMN: VALUE}),
        (ROW[:-1], {COLUMN: VALUE}),
        (ROW + b"x", {COLUMN: VALUE}),
        (bytes([ROW[0] ^ 1]) + ROW[1:], {COLUMN: VALUE}),
        (ROW, {b"d:": VALUE}),
        (ROW, {b"d:x" + COLUMN[3:]: VALUE}),
        (ROW, {COLUMN[:-1] + bytes([255 - Phase.DELETE]): VALUE}),
        (ROW, {COLUMN[:-1] + b"\xfe": VALUE}),
        (ROW, {b"d:" + b"\xff" * 8 + COLUMN[-1:]: VALUE}),
        (ROW, {COLUMN: b""}),
        (ROW, {COLUMN: VALUE[:9] + b"\xff" + VALUE[10:]}),
        (ROW, {COLUMN: b"\xff" * 8 + VALUE[8:]}),
        (ROW, {COLUMN: VALUE + b"\1\0\xff"}),
        (ROW, {COLUMN: VALUE + b"\2" + b"a" * 16}),
    ],
)
def test_an_odd_event_is_told(store: Store, row: bytes, cells: dict[bytes, bytes]) -> None:
    store.put("events", row, cells)
    assert {one.damage for one in store.problems()} >= {Damage.ROW_DAMAGED}


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (b"x", {b"d:": b""}),
        (b"r", {b"d:": b""}),
        (b"r" + NAME + b"x", {b"d:": b""}),
        (b"r" + NAME.replace(b"\0\1", b"\0\xfe\0\1"), {b"d:": b""}),
        (b"i" + b"\xff\0\1" * 3, {b"d:": b""}),
        (b"n", {b"d:a": b"1"}),
        (b"o" + b"x" * 8, {b"d:s": b"1", b"d:r": b"x"}),
        (b"o" + b"x" * 8, {b"d:r": codec.pack_names([])}),
        (b"p" + b"\x7f" * 8, {b"d:m": b"short"}),
        (b"p" + b"\x7f" * 3, {b"d:m": b"x" * 8}),
        (b"k\xff", {b"d:a": b"\0" * 8}),
        (b"kcc", {b"d:a": b"\xff" * 8}),
        (b"a" + b"\0" * 8 + b"cc", {b"d:b": b"", b"d:r": b"o"}),
        (b"a" + b"\0" * 8 + b"cc", {b"d:b": b"", b"d:r": b"o\x91\x01"}),
    ],
)
def test_an_odd_row_of_the_rest_is_told(store: Store, row: bytes, cells: dict[bytes, bytes]) -> None:
    store.put("meta", row, cells)
    (problem,) = store.problems()
    assert problem.damage is Damage.ROW_DAMAGED
    assert row.hex() in problem.detail


def test_a_record_that_cannot_be_found_by_its_id_is_told(store: Store) -> None:
    store.delete("meta", b"kaa")
    (problem,) = store.problems()
    assert problem.damage is Damage.REFERENCE_MISSING
    assert "aa" in problem.detail


def test_a_body_or_a_record_that_nobody_finished_is_no_problem(store: Store) -> None:
    orphan = event(1, "orphan").body
    store.put("bodies", codec.reference(orphan), {b"d:b": orphan.data})
    store.put("meta", b"kdd", {b"d:a": codec.since_first(5)})
    store.put("meta", b"a" + codec.since_first(5) + b"dd", {b"d:b": b"{"})
    assert store.problems() == []
    assert [one.id for one in store.driver.list(settled=True)] == ["aa", "bb"]
    assert list(store.driver.find("dd")) == []
    store.driver.put([record("dd", 9)])
    assert [(one.id, one.received_at) for one in store.driver.find("dd")] == [("dd", 5)]


def test_a_store_of_two_thousand_damaged_rows_tells_the_first_thousand(store: Store) -> None:
    with store.connection.table("meta").batch() as batch:
        for n in range(2_000):
            batch.put(b"x%d" % n, {b"d:": b""})
    assert len(store.problems()) == 1_000


def test_keys_are_in_the_order_of_what_they_name() -> None:
    texts = ["", "\0", "\0\0", "\0a", "\1", "a", "a\0", "a\0b", "a\1", "aa", "é", "😀", "\uffff"]
    assert sorted(texts, key=codec.escaped) == sorted(texts)
    resources = [type(VM)(type=one, source=other, id="x") for one in texts for other in texts]
    assert sorted(resources, key=codec.name_of) == sorted(resources)
    assert [codec.named(codec.name_of(one)) for one in resources] == resources
    assert [codec.named_id_first(codec.id_first(one)) for one in resources] == resources
    assert codec.unpack_names(codec.pack_names(map(codec.name_of, resources))) == sorted(map(codec.name_of, resources))


def test_what_is_on_disk_stays_as_it_is() -> None:
    body = bytes.fromhex("6dec0c30fbc86f302b8e09f7101ceefee0436594f78fcb25a901fbfd5bcad572") + b"\x05"
    name = b"\x08instance\0\1north\0\x01000001\0\1"
    assert codec.reference(SMALL.body) == body
    assert codec.salted(codec.name_of(number(1))) == name
    assert codec.row_of(SMALL, name, body) == (name + b"\0" + body, bytes.fromhex("643a0384440ccc735ffee1"))
    stamp = bytes.fromhex("0384440ccc736000a5")
    assert codec.row_of(event(-1, phase=Phase.DELETE), name, body) == (name + b"\1" + body + stamp, b"d:" + stamp)
    head = bytes.fromhex("00dcbffeff2bc001")
    assert codec.value_of(1, "x.y", None) == head + b"\0\3x.y"
    assert codec.value_of(1, "x", "m") == head + b"\0\1x\1\0m"
    uuid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
    assert codec.value_of(1, "x", uuid) == head + b"\0\1x\1" + bytes.fromhex(uuid.replace("-", ""))
