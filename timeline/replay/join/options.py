"""How samples are joined, and what became of them. Needs no Arrow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

import msgspec

from timeline.errors import InputError

Policy = Literal["at", "start", "end", "split"]
Unit = Literal["s", "ms", "us", "ns"]

POLICIES: tuple[Policy, ...] = get_args(Policy)
WORDS = ("resource_id", "meter", "timestamp", "value", "type", "source", "start")
"""Our words for the columns of samples; the last three are used only where they are named."""


class JoinCounts(msgspec.Struct, kw_only=True):
    """What became of samples so far. ``present``, ``deleted`` and ``unknown`` add up to ``rows``."""

    samples: int = 0
    rows: int = 0
    """More than the samples where these are split."""
    present: int = 0
    deleted: int = 0
    unknown: int = 0
    no_rule: dict[str, int] = {}
    """Samples of meters that no rule knows, by meter; those without a meter under the empty text. They are unknown."""
    kernel: str = ""
    """What found the segments: ``compiled``, or ``numpy`` where no compiler was at hand when the package was installed;
    for dicts, row by row, ``python``."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How samples are joined: see :meth:`timeline.Engine.join`."""

    fields: tuple[str, ...] | None = None
    """``None`` for all."""
    type: str | None = None
    source: str = ""
    columns: Mapping[str, str] = {}
    unit: Unit = "us"
    policy: Policy = "at"
    period: int | None = None
    cumulative: bool | frozenset[str] | None = None
    prefix: str = ""
    collected: bool = False
    since: bool = False

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise InputError(f"{self.policy!r:.60} is no policy; there are {', '.join(POLICIES)}")
        for text in (self.type, self.source, self.prefix, *self.columns.values()):
            if isinstance(text, str) and not text.isascii() and text != text.encode("utf-8", "replace").decode():
                raise InputError(f"{text!r:.60} is no text: it cannot be written in UTF-8")
        for word in self.columns:
            if word not in WORDS:
                raise InputError(
                    f"samples have no {word!r:.60} that could be called otherwise; they have {', '.join(WORDS)}"
                )
        if self.period is not None and (not isinstance(self.period, int) or self.period <= 0):
            raise InputError(f"{self.period!r:.60} is no period: it is a whole number of microseconds, more than 0")
        if self.unit not in get_args(Unit):
            raise InputError(f"{self.unit!r:.60} is no unit of time; there are {', '.join(get_args(Unit))}")

    def name(self, word: str) -> str:
        """The name of a column of the samples."""
        return self.columns.get(word, word)

    def describe(self, word: str) -> str:
        """The name of a column, for people."""
        return f"the column {self.name(word)!r} of the samples"


def check_fields(fields: Collection[str], known: Collection[str]) -> None:
    """Raise :class:`~timeline.errors.InputError` for a field that is none of the known ones."""
    for name in fields:
        if name not in known:
            import difflib  # imported late: few mistype

            near = difflib.get_close_matches(name, list(known), 1)
            raise InputError(
                f"there is no field {name!r}"
                + (f"; {near[0]!r} may be meant" if near else f"; there are {', '.join(sorted(known)) or 'none yet'}")
            )
