"""The as-of join over columns: compiled and on NumPy, against an oracle of a few lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="the as-of join needs NumPy: pip install 'resource-timeline[arrow]'")

from timeline.replay.join import asof, asof_numpy  # noqa: E402  (they need NumPy, too)

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
CODES = ["int8", "int16", "int32"]
LEAST, MOST = -(2**63), 2**63 - 1
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
AROUND_BLOCKS = [0, 1, 2, 7, 8, 9, 1023, 1024, 1025, 2049, 4095, 4096, 4097, 20_000]
"""The kernel treats 8, 1024 or 4096 samples alike."""

needs_compiled = pytest.mark.skipif(
    not asof.COMPILED, reason="the extension is not built: pip install -e . where a C compiler is"
)


each_path = pytest.mark.parametrize(
    "path", [pytest.param(asof, id="compiled", marks=needs_compiled), pytest.param(asof_numpy, id="numpy")]
)


class Fleet(NamedTuple):
    """Resources with their rows, which lie among rows of nobody in no order."""

    first: Any
    last: Any
    starts: Any

    @classmethod
    def of(cls, resources: Sequence[Sequence[int]], order: Sequence[int], garbage: Sequence[int] = ()) -> Fleet:
        """Lay the rows of the resources out in an order, with the garbage before each and at the end."""
        starts = [0]
        first, last = np.zeros(len(resources), np.int64), np.zeros(len(resources), np.int64)
        for resource in order:
            starts.extend(garbage)
            first[resource] = len(starts)
            starts.extend(resources[resource])
            last[resource] = len(starts)
        starts.extend(garbage)
        return cls(first, last, np.array(starts, np.int64))


def expected(ids: Any, groups: Any, times: Any, unit: str, fleet: Fleet) -> list[int]:
    """The oracle: Python's exact integers and its own bisection."""
    ends = fleet.last.tolist()
    rows = [fleet.starts[begin:end].tolist() for begin, end in zip(fleet.first.tolist(), ends, strict=True)]
    answers = []
    for index, time in zip(ids.tolist(), times.tolist(), strict=True):
        group = int(groups[index]) if 0 <= index < len(groups) else -1
        before = bisect_right(rows[group], time * 1_000_000 // PER_SECOND[unit]) if 0 <= group < len(rows) else 0
        answers.append(int(fleet.first[group]) + before - 1 if before else 0)
    return answers


def located(module: ModuleType, ids: Any, groups: Any, times: Any, unit: str, fleet: Fleet) -> list[int]:
    rows = module.locate(ids, groups, times, unit, *fleet)
    assert rows.dtype == np.int32
    answer: list[int] = rows.tolist()
    return answer


# Which row


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    instants = st.one_of(st.integers(-20, 20), st.sampled_from([LEAST, LEAST + 1, MOST - 1, MOST]))
    resources = draw(st.lists(st.lists(instants, unique=True, max_size=9).map(sorted), max_size=6))
    order = draw(st.permutations(range(len(resources))))
    return Fleet.of(resources, order, draw(st.lists(instants, max_size=2)))


@st.composite
def samples(draw: st.DrawFn, fleet: Fleet) -> tuple[Any, Any, Any, str]:
    """Ids, groups, times and their unit; some ids and groups out of range, times on and beside the starts."""
    unit = draw(st.sampled_from(list(PER_SECOND)))
    groups = draw(st.lists(st.integers(-1, len(fleet.first)), max_size=8))
    kind = np.dtype(draw(st.sampled_from(INTEGERS)))
    limits = np.iinfo(kind)
    near = st.integers(max(-2, limits.min), len(groups) + 1)
    instants = [
        start * PER_SECOND[unit] // 1_000_000 + beside for start in fleet.starts.tolist() for beside in (-1, 0, 1)
    ]
    instants = [time for time in instants if LEAST <= time <= MOST]
    times = st.one_of(
        st.sampled_from([*instants, 0]),
        st.integers(-30_000, 30_000),
        st.integers(LEAST, MOST),
        st.sampled_from([LEAST, MOST]),
        st.builds(
            lambda end, factor, beside: end // factor + beside,
            st.sampled_from([LEAST, MOST]),
            st.sampled_from([10**3, 10**6]),
            st.integers(-2, 2),
        ),
    )
    ids = st.one_of(near, near, st.sampled_from([int(limits.min), int(limits.max)]))
    drawn = draw(st.lists(st.tuples(ids, times), max_size=40))
    if draw(st.booleans()):
        drawn.sort(key=lambda sample: sample[1])
    return (
        np.array([index for index, _ in drawn], kind),
        np.array(groups, np.int32),
        np.array([time for _, time in drawn], np.int64),
        unit,
    )


@each_path
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_each_sample_falls_into_the_last_row_of_its_resource_that_has_started(
    path: ModuleType, data: st.DataObject
) -> None:
    fleet = data.draw(fleets())
    ids, groups, times, unit = data.draw(samples(fleet))
    assert located(path, ids, groups, times, unit, fleet) == expected(ids, groups, times, unit, fleet)


def in_order_of_time(random: Any, ids: Any, times: Any) -> Any:
    return np.argsort(times, kind="stable")


def by_resource(random: Any, ids: Any, times: Any) -> Any:
    return np.lexsort((times, ids))


def in_no_order(random: Any, ids: Any, times: Any) -> Any:
    return random.permutation(len(ids))


def newest_first(random: Any, ids: Any, times: Any) -> Any:
    return np.argsort(-times, kind="stable")


def in_order_here_and_there(random: Any, ids: Any, times: Any) -> Any:
    """Stretches in order of time and stretches in none, so that the kernel must change its way."""
    order = np.argsort(times, kind="stable")
    for begin in range(0, len(order), 5000):
        random.shuffle(order[begin : begin + 2500])
    return order


ORDERS = [in_order_of_time, by_resource, in_no_order, newest_first, in_order_here_and_there]


@each_path
@pytest.mark.parametrize("size", AROUND_BLOCKS)
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(INTEGERS), unit=st.sampled_from(list(PER_SECOND)))
def test_no_order_and_no_number_of_samples_changes_an_answer(
    path: ModuleType, size: int, order: Callable[..., Any], seed: int, kind: str, unit: str
) -> None:
    random = np.random.default_rng(seed)
    resources = [
        np.unique(random.integers(-5000, 5000, random.integers(0, 60))).tolist() for _ in range(random.integers(1, 90))
    ]
    fleet = Fleet.of(resources, random.permutation(len(resources)).tolist(), [7, -7])
    fleet.starts[:] *= 1_000_000 // min(PER_SECOND[unit], 1_000_000)
    groups = random.integers(-1, len(resources) + 1, random.integers(0, 120)).astype(np.int32)
    ids = random.integers(0, len(groups) + 2, size)
    times = random.integers(-6000, 6000, size) * (1000 if unit == "ns" else 1) - random.integers(0, 2, size)
    arranged = order(random, ids, times)
    ids, times = ids[arranged].astype(kind), times[arranged]
    assert located(path, ids, groups, times, unit, fleet) == expected(ids, groups, times, unit, fleet)


@each_path
def test_a_sample_on_a_start_is_in_its_row_and_one_before_it_in_the_row_before(path: ModuleType) -> None:
    fleet = Fleet.of([[100, 200]], [0])
    times = np.array([99, 100, 101, 199, 200, 201])
    ids, groups = np.zeros(6, np.int8), np.zeros(1, np.int32)
    assert located(path, ids, groups, times, "us", fleet) == [0, 1, 1, 1, 2, 2]


@each_path
def test_a_time_is_floored_to_microseconds_before_1970_too(path: ModuleType) -> None:
    fleet = Fleet.of([[-1, 0, 1]], [0])
    times = np.array([-1001, -1000, -999, -1, 0, 999, 1000])
    ids, groups = np.zeros(7, np.int8), np.zeros(1, np.int32)
    assert located(path, ids, groups, times, "ns", fleet) == [0, 1, 1, 1, 2, 2, 3]


@each_path
@pytest.mark.parametrize("unit", ["s", "ms"])
def test_a_time_beyond_microseconds_is_before_or_after_everything(path: ModuleType, unit: str) -> None:
    fleet = Fleet.of([[LEAST, 0, MOST]], [0])
    times = np.array([LEAST, MOST])
    ids, groups = np.zeros(2, np.int8), np.zeros(1, np.int32)
    assert located(path, ids, groups, times, unit, fleet) == [0, 3]


@each_path
def test_without_rows_or_resources_or_ids_every_sample_is_unknown(path: ModuleType) -> None:
    nothing, rows = np.zeros(0, np.int64), np.zeros(1, np.int64)
    ids, times = np.array([0, 1, -1]), np.zeros(3, np.int64)
    some, none = np.zeros(2, np.int32), np.zeros(0, np.int32)
    assert path.locate(ids, some, times, "us", nothing, nothing, nothing).tolist() == [0, 0, 0]
    assert path.locate(ids, some, times, "us", rows, rows, nothing).tolist() == [0, 0, 0]
    assert path.locate(ids, none, times, "us", rows, rows, rows).tolist() == [0, 0, 0]


@each_path
def test_a_dictionary_may_be_longer_than_a_kernel_would_hold_cursors_for(path: ModuleType) -> None:
    far = 1 << 18
    groups = np.full(2 * far + 1, -1, np.int32)
    groups[[5, 5 + far]] = [0, 1]
    fleet = Fleet.of([list(range(0, 100, 10)), list(range(5, 105, 10))], [1, 0])
    ids = np.tile([5, 5 + far, 6, 5 + 2 * far], 1000)
    times = np.repeat(np.arange(100), 40)
    assert located(path, ids, groups, times, "us", fleet) == expected(ids, groups, times, "us", fleet)


@each_path
@pytest.mark.parametrize(("first", "last"), [(-1, 1), (1, 4), (2, 1), (LEAST, MOST), (MOST, MOST), (0, LEAST)])
def test_ranges_outside_of_the_rows_are_refused(path: ModuleType, first: int, last: int) -> None:
    ids, groups, times = np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.int64)
    ranges = np.array([first], np.int64), np.array([last], np.int64)
    with pytest.raises(ValueError, match="0 <= first <= last <= the number of starts"):
        path.locate(ids, groups, times, "us", *ranges, np.zeros(3, np.int64))


# What the columns say


def bits(validity: Any, size: int) -> list[bool]:
    """The bits of a bitmap; those after the last must be zero."""
    assert validity.dtype == np.uint8
    assert len(validity) == (size + 7) // 8
    all_bits = np.unpackbits(validity, bitorder="little").astype(bool)
    assert not all_bits[size:].any()
    answer: list[bool] = all_bits[:size].tolist()
    return answer


@each_path
@pytest.mark.parametrize("size", AROUND_BLOCKS)
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kinds=st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from([0.0, 0.0, 0.001, 0.5, 1.0])), max_size=40),
)
def test_each_column_says_what_it_holds_at_the_positions(
    path: ModuleType, size: int, seed: int, kinds: list[tuple[str, float]]
) -> None:
    random = np.random.default_rng(seed)
    rows = int(random.choice([1, 2, 50, 3000]))
    columns = []
    for kind, share in kinds:
        limits = np.iinfo(kind)
        codes = random.integers(0, limits.max, rows, endpoint=True, dtype=kind)
        negative = random.integers(limits.min, -1, rows, endpoint=True, dtype=kind)
        columns.append(np.where(random.random(rows) < share, negative, codes))
    positions = random.integers(0, rows, size).astype(np.int32)
    taken = path.gather(positions, columns)
    assert len(taken) == len(columns)
    for (indices, validity), column in zip(taken, columns, strict=True):
        wanted = column[positions]
        assert indices.dtype == column.dtype
        assert indices.tolist() == np.maximum(wanted, 0).tolist()
        if (wanted < 0).any():
            assert bits(validity, size) == (wanted >= 0).tolist()
        else:
            assert validity is None


@each_path
@pytest.mark.parametrize("position", [-1, 3, -(2**31), 2**31 - 1])
@pytest.mark.parametrize("at", [0, 4095, 4096, 9999])
def test_a_position_that_is_no_row_is_refused_by_name(path: ModuleType, position: int, at: int) -> None:
    positions = np.ones(10_000, np.int32)
    positions[at] = position
    with pytest.raises(ValueError, match=rf"^Position {position} is no row: the columns have 3\.$"):
        path.gather(positions, [np.zeros(3, np.int8)] * 4)


@each_path
def test_columns_without_rows_have_no_position(path: ModuleType) -> None:
    column = np.zeros(0, np.int8)
    ((indices, validity),) = path.gather(np.zeros(0, np.int32), [column])
    assert (indices.tolist(), validity) == ([], None)
    with pytest.raises(ValueError, match="Position 0 is no row: the columns have 0"):
        path.gather(np.zeros(1, np.int32), [column])


# The arguments


def arguments() -> dict[str, Any]:
    """What locate takes: three samples, two ids, one resource of two rows."""
    return {
        "ids": np.array([0, 1, 0], np.int32),
        "groups": np.array([0, -1], np.int32),
        "times": np.array([5, 15, 15]),
        "unit": "us",
        "first": np.array([1]),
        "last": np.array([3]),
        "starts": np.array([0, 0, 10]),
    }


def test_arguments_may_be_strided_unaligned_read_only_or_of_the_other_byte_order() -> None:
    given = arguments()
    given["ids"] = np.repeat(given["ids"], 2)[::2]
    given["times"] = given["times"].astype(">i8")
    given["starts"] = np.frombuffer(b"x" + given["starts"].tobytes(), np.int64, offset=1)
    given["first"].flags.writeable = False
    assert asof.locate(**given).tolist() == [1, 0, 2]
    column = np.arange(6, dtype=np.int16)[::2]
    assert asof.gather(np.array([2, 0], np.int32)[::-1], [column])[0][0].tolist() == [0, 4]


@pytest.mark.parametrize(
    ("name", "value", "error", "sentence"),
    [
        ("ids", [0, 1, 0], TypeError, "ids must be a NumPy array, not list."),
        ("ids", np.zeros(3), TypeError, "ids must be of the type integers, not float64."),
        ("ids", np.zeros(2, int), ValueError, "There are 2 ids and 3 times; each sample has one of both."),
        ("ids", np.zeros((3, 1), int), ValueError, "ids must have one dimension, not 2."),
        ("groups", np.zeros(2, np.int64), TypeError, "groups must be of the type int32, not int64."),
        ("times", np.zeros(3, "M8[us]"), TypeError, "times must be of the type int64, not datetime64[us]."),
        ("starts", np.zeros(3, np.uint64), TypeError, "starts must be of the type int64, not uint64."),
        ("last", np.zeros(2, int), ValueError, "first has 1 resources and last 2; each resource has one of both."),
        ("unit", "h", ValueError, "The unit must be s, ms, us or ns, not h."),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_a_sentence(
    name: str, value: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as refusal:
        asof.locate(**arguments() | {name: value})
    assert str(refusal.value) == sentence


def test_columns_that_do_not_fit_are_refused_in_a_sentence() -> None:
    positions = np.zeros(1, np.int32)
    with pytest.raises(TypeError, match="columns must be of the type int8, int16 or int32, not int64"):
        asof.gather(positions, [np.zeros(1, np.int64)])
    with pytest.raises(TypeError, match="columns must be of the type integers, not uint8"):
        asof.gather(positions, [np.zeros(1, np.uint8)])
    with pytest.raises(ValueError, match="All columns must have one length"):
        asof.gather(positions, [np.zeros(1, np.int8), np.zeros(2, np.int8)])
    with pytest.raises(TypeError, match="positions must be of the type int32, not int64"):
        asof.gather(np.zeros(1, np.int64), [])


# Threads


@needs_compiled
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_change_no_answer(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(asof, "_LEAST_PER_THREAD", 100)
    monkeypatch.setattr(asof, "processors", lambda: threads)
    random = np.random.default_rng(threads)
    fleet = Fleet.of([sorted(random.choice(1000, 20, replace=False).tolist()) for _ in range(50)], range(50))
    ids, times = random.integers(0, 51, 10_007), random.integers(0, 1000, 10_007)
    groups = np.arange(50, dtype=np.int32)
    columns = [random.integers(-1, 100, len(fleet.starts)).astype(kind) for kind in CODES * 4]
    rows = asof.locate(ids, groups, times, "us", *fleet)
    assert rows.tolist() == expected(ids, groups, times, "us", fleet)
    for ours, theirs in zip(asof.gather(rows, columns), asof_numpy.gather(rows, columns), strict=True):
        assert ours[0].tolist() == theirs[0].tolist()
        assert bits(ours[1], 10_007) == bits(theirs[1], 10_007)
    rows[9000] = -5
    with pytest.raises(ValueError, match="Position -5 is no row"):
        asof.gather(rows, columns)


# The binding alone: whatever it is given, it refuses and does not crash


@needs_compiled
@pytest.mark.parametrize("name", ["ids", "groups", "times", "first", "last", "starts", "rows"])
@pytest.mark.parametrize(
    "wrong",
    [
        None,
        b"",
        np.zeros(3),
        np.zeros(3, ">i4"),
        np.zeros(3, "M8[us]"),
        np.zeros((3, 3), np.int64),
        np.zeros((3, 3), np.int32),
        np.zeros(6, np.int64)[::2],
        np.zeros(6, np.int32)[::2],
        np.frombuffer(bytes(33), np.int64, 3, offset=1),
        np.frombuffer(bytes(33), np.int32, 3, offset=1),
    ],
    ids=repr,
)
def test_the_binding_refuses_buffers_that_it_cannot_read(name: str, wrong: Any) -> None:
    given = arguments() | {"rows": np.zeros(3, np.int32), name: wrong}
    with pytest.raises((TypeError, ValueError)):
        asof._asof.locate(*given.values())


@needs_compiled
def test_the_binding_refuses_lengths_that_do_not_fit() -> None:
    for name, length in (("ids", 2), ("times", 4), ("rows", 4), ("first", 2), ("last", 0)):
        given = arguments() | {"rows": np.zeros(3, np.int32)}
        given[name] = np.zeros(length, given[name].dtype)
        with pytest.raises(ValueError, match="must have one length"):
            asof._asof.locate(*given.values())
    read_only = np.zeros(3, np.int32)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        asof._asof.locate(*arguments().values(), read_only)


@needs_compiled
def test_the_binding_refuses_columns_that_do_not_fit() -> None:
    positions, codes, indices = np.zeros(9, np.int32), np.zeros(4, np.int8), np.zeros(9, np.int8)
    validity = np.zeros(2, np.uint8)
    good = (codes, indices, validity)
    table = asof._asof.pack([codes] * 3)
    assert asof._asof.gather(positions, [good], None) == [0]
    assert asof._asof.gather(positions[:0], [], None) == []
    for columns in (
        [(codes, indices[:8], None)],
        [(codes, indices, validity[:1])],
        [(codes, indices.astype(np.int16), None)],
        [good, (codes[:3], indices, None)],
        [(codes, indices)],
        [codes],
        (good,),
    ):
        with pytest.raises((TypeError, ValueError)):
            asof._asof.gather(positions, columns, None)  # type: ignore[arg-type]
    if table is not None:
        with pytest.raises(ValueError, match="what pack"):
            asof._asof.gather(positions, [good], table)
        with pytest.raises(ValueError, match="what pack"):
            asof._asof.gather(positions, [good] * 3, table[:-1])
    with pytest.raises(TypeError):
        asof._asof.pack([np.zeros(3)])  # type: ignore[list-item]
