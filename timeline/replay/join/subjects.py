"""Which resource each sample speaks of: by its id, and by a type that is given, in a column, or that of its meter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeline.errors import InputError
from timeline.replay.join import asof
from timeline.replay.join.fleet import Array, Fleet

_DENSE = 4_000_000
"""Numbers that are counted in a table, used or not; where there may be more, they are sorted."""

_PART = 500_000
"""Ids for which another thread pays."""


class Rule(Protocol):
    """What a meter tells of its resources: see :class:`timeline.definitions.SampleRule`."""

    @property
    def type(self) -> str: ...
    @property
    def id(self) -> object: ...
    @property
    def cumulative(self) -> bool: ...
    def resource_id(self, text: str) -> str | None: ...


class Found:
    """The resource of each sample of a batch, in two steps: ``groups[codes[i]]`` is the number of the resource."""

    def __init__(self, codes: Array, groups: Array, valid: Array | None) -> None:
        self.codes = codes
        self.groups = groups
        """int32: the number of a resource, -1 where nothing is known of it."""
        self.valid = valid
        """Where the sample has an id; ``None`` where all have."""


class _Subject:
    """A type and a source, with the way from the id of a sample to the id of a resource."""

    def __init__(self, fleet: Fleet, type: str, source: str, rule: Rule | None, name: str) -> None:
        self._names = fleet.names(type, source)
        self._rule = rule if rule is not None and rule.id is not None else None
        self._name = name
        self._numbers: dict[str, int] | None = None
        self._last: tuple[pa.Array, Array] | None = None

    @property
    def plain(self) -> bool:
        """Whether the id of a sample is that of its resource."""
        return self._rule is None

    def groups(self, ids: pa.Array) -> Array:
        """int32: the numbers of the resources that distinct ids mean."""
        if self._last is not None and self._last[0].equals(ids):
            return self._last[1]
        if self._rule is None:
            found, numbers = self.known(ids)
            groups = numbers[found]
        else:
            groups = np.fromiter(map(self._number, texts(ids, self._name)), np.int32, len(ids))
        self._last = ids, groups
        return groups

    def known(self, ids: pa.Array) -> tuple[Array, Array]:
        """Where ids, distinct or not, stand among those of the fleet, and the numbers of the resources at these places.

        Where nothing is known of an id that is the last place, at which is -1.
        """
        names, numbers = self._names

        def places(part: pa.Array) -> Array:
            found: Array = pc.index_in(part, value_set=names.cast(part.type)).fill_null(len(names)).to_numpy()
            return found

        return _in_threads(places, ids), np.append(numbers, np.int32(-1))

    def _number(self, text: str | None) -> int:
        if self._numbers is None:
            self._numbers = dict(zip(self._names.ids.to_pylist(), self._names.numbers.tolist(), strict=True))
        id = None if text is None or self._rule is None else self._rule.resource_id(text)
        return -1 if id is None else self._numbers.get(id, -1)


class Subjects:
    """Finds the resources that samples speak of."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        type: str | None,
        source: str,
        columns: Sequence[str],
        find: Callable[[str], Rule | None] | None,
        describe: Callable[[str], str],
    ) -> None:
        """``columns`` are the words for columns that the samples have, ``find`` tells the rule of a meter.

        ``describe`` names the column of a word to people.
        """
        self._fleet = fleet
        self._type = type
        self._source = source
        self._columns = [word for word in ("type", "source", "meter") if word in columns]
        self._find = find
        self._describe = describe
        self._subjects: dict[tuple[str, str, int], int] = {}
        self._known: list[_Subject] = []
        self.no_rule: Counter[str] = Counter()
        """Samples of meters that no rule knows, by meter; those without a meter under the empty text."""

    def of(self, columns: dict[str, pa.Array]) -> Found:
        """The resources of a batch, whose columns are given by our words for them."""
        ids = columns["resource_id"]
        which, per_row = self._which({word: columns[word] for word in self._columns})
        text = check_text(ids, self._describe("resource_id"))
        if per_row is None and not pa.types.is_dictionary(text.type) and which[0] >= 0 and self._known[which[0]].plain:
            codes, groups = self._known[which[0]].known(text)
            return Found(codes, groups, None)
        encoded = text if pa.types.is_dictionary(text.type) else text.dictionary_encode()
        codes, valid = indices(encoded)
        if per_row is None:
            none = np.full(len(encoded.dictionary), -1, np.int32)
            return Found(codes, none if which[0] < 0 else self._known[which[0]].groups(encoded.dictionary), valid)
        return self._of_several(which[per_row], codes, valid, encoded.dictionary)

    def _of_several(self, subject: Array, codes: Array, valid: Array | None, ids: pa.Array) -> Found:
        wide = len(ids) + 1  # the last is no id
        pairs = (subject + 1) * wide + with_null(codes, valid, len(ids))
        used, _, places = distinct(pairs, (len(self._known) + 1) * wide)
        groups = np.full(len(used), -1, np.int32)
        of, id = used // wide - 1, used % wide
        for number, known in enumerate(self._known):
            into = np.flatnonzero((of == number) & (id < len(ids)))
            groups[into] = known.groups(ids.take(pa.array(id[into])))
        return Found(places, groups, None)

    def _which(self, columns: dict[str, pa.Array]) -> tuple[Array, Array | None]:
        """The numbers of subjects, -1 for none, and which of them each sample has; ``None`` where all have one."""
        said: list[tuple[str | None, ...]] = [()]
        places: Array | None = None
        counts = np.zeros(1, np.int64)
        for word, column in columns.items():
            encoded = check_text(column, self._describe(word))
            encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
            codes, valid = indices(encoded)
            values = [*texts(encoded.dictionary, self._describe(word)), None]
            codes = with_null(codes, valid, len(values) - 1)
            pairs = codes if places is None else places * len(values) + codes
            used, counts, places = distinct(pairs, len(said) * len(values))
            said = [(*said[pair // len(values)], values[pair % len(values)]) for pair in used.tolist()]
        which = np.zeros(len(said), np.int64)
        for place, values_said in enumerate(said):
            named = dict(zip(columns, values_said, strict=True))
            which[place], no_rule = self._subject(
                named.get("type") if self._type is None else self._type,
                named.get("source", self._source),
                named.get("meter"),
            )
            if no_rule is not None:
                self.no_rule[no_rule] += int(counts[place])
        alike = len(set(which.tolist())) == 1
        return which, None if alike else places

    def _subject(self, type: str | None, source: str | None, meter: str | None) -> tuple[int, str | None]:
        """The number of a subject, -1 where there is none; and the meter, where it is for want of a rule."""
        rule = None
        if type is None:
            rule = None if meter is None or self._find is None else self._find(meter)
            if rule is None:
                return -1, meter or ""
            type = rule.type
        if source is None:
            return -1, None
        key = (type, source, 0 if rule is None or rule.id is None else id(rule))
        if key not in self._subjects:
            self._subjects[key] = len(self._known)
            self._known.append(_Subject(self._fleet, type, source, rule, self._describe("resource_id")))
        return self._subjects[key], None


def distinct(values: Array, size: int) -> tuple[Array, Array, Array]:
    """The distinct ones of whole numbers from 0 to below ``size``, in order, and how often each occurs.

    The third tells for each value its place among them.
    """
    if size > max(_DENSE, 4 * len(values)):
        used, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        return used, counts, inverse
    occurring = np.bincount(values, minlength=size)
    used = np.flatnonzero(occurring)
    if len(used) == 1:
        return used, occurring[used], np.zeros(len(values), np.int64)
    return used, occurring[used], (np.cumsum(occurring > 0) - 1)[values]


def _in_threads(run: Callable[[pa.Array], Array], column: pa.Array) -> Array:
    """What ``run`` gives for a column, of which each thread takes a part."""
    parts = min(asof.processors(), len(column) // _PART + 1)
    if parts == 1:
        return run(column)
    size = -(-len(column) // parts)
    with ThreadPoolExecutor(parts) as threads:
        return np.concatenate(
            list(threads.map(run, (column.slice(start, size) for start in range(0, len(column), size))))
        )


def check_text(column: pa.Array, name: str) -> pa.Array:
    """A column that is text, encoded or not, in one of the types that can be looked up.

    Raises :class:`~timeline.errors.InputError` where it is none.
    """
    encoded = pa.types.is_dictionary(column.type)
    type = column.type.value_type if encoded else column.type
    if pa.types.is_null(type):
        return pa.nulls(len(column), pa.string())
    if pa.types.is_string(type) or pa.types.is_large_string(type):
        return column
    if not pa.types.is_string_view(type):
        raise InputError(f"{name} holds {type}; text is expected")
    if encoded:
        return pa.DictionaryArray.from_arrays(column.indices, column.dictionary.cast(pa.large_string()), safe=False)
    return column.cast(pa.large_string())


def texts(values: pa.Array, name: str) -> list[str | None]:
    """The texts of a column, as Python has them. Raises :class:`~timeline.errors.InputError` for what is no UTF-8."""
    try:
        plain: list[str | None] = values.to_pylist()
    except UnicodeDecodeError as error:
        raise InputError(f"{name} holds text that is not in UTF-8") from error
    return plain


def indices(encoded: pa.DictionaryArray) -> tuple[Array, Array | None]:
    """The indices of an encoded column, and where it has a value; ``None`` where it has one everywhere."""
    valid = None if not encoded.indices.null_count else encoded.indices.is_valid().to_numpy(zero_copy_only=False)
    codes = encoded.indices if valid is None else encoded.indices.fill_null(0)
    result: Array = codes.to_numpy()
    # with any other integers NumPy would make floats of uint64
    return (result.view(np.int64) if result.dtype == np.uint64 else result), valid


def with_null(codes: Array, valid: Array | None, null: int) -> Array:
    """Indices, and ``null`` where there is no value: wide enough for it where an index has but a byte."""
    return codes if valid is None else np.where(valid, codes, np.int64(null))
