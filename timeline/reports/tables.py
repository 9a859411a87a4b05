"""Tables that people can read: times in full, fields in a fixed order, and of a history what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from timeline import clock
from timeline.model import Existence, Segment, State, canonical
from timeline.replay import Diff, Explanation, Timeline
from timeline.reports import shapes
from timeline.reports.formats import text
from timeline.reports.shapes import Shape

_STYLES = {Existence.PRESENT: "green", Existence.DELETED: "red", Existence.UNKNOWN: "yellow"}

_WIDE = 100_000
"""The width where no screen limits it: nothing is folded, nothing is cut."""

_NARROW = 60
"""What a table needs so that nothing is cut: a narrower screen folds its lines itself."""


_READABLE = 8
"""The characters of a column that is folded so far, and no further."""

_BETWEEN = 3
"""The characters between two columns."""


def write(table: Table, stream: IO[str]) -> None:
    """Write a table: folded to the width of a screen, or in full where there is none."""
    # what is printed comes from outside: nothing in it may be read as markup
    console = Console(file=stream, width=width(stream), highlight=False, markup=False, emoji=False)
    console.print(table)


def width(stream: IO[str]) -> int:
    """The characters of a line that is written there."""
    return max(Console(file=stream).width, _NARROW) if stream.isatty() else _WIDE


def fitting(names: Sequence[str], values: Sequence[Sequence[Any]], width: int) -> int:
    """How many of the first columns can be read in lines so wide, where cells are folded: one at least."""
    left = width - 2  # the margins
    for place, name in enumerate(names):
        longest = max((len(_cell(row[place])) for row in values), default=0)
        left -= min(max(len(text(name)), longest), _READABLE)
        if left < 0:
            return max(place, 1)
        left -= _BETWEEN
    return len(names)


def pairs(shape: Shape) -> Table:
    """Names and values, one pair a line."""
    table = _table("", "", header=False)
    for name, value in shape.items():
        table.add_row(Text(text(name), style="bold"), _cell(value))
    return table


def rows(names: Sequence[str], values: Iterable[Sequence[Any]]) -> Table:
    """Rows under names."""
    table = _table(*names)
    for row in values:
        table.add_row(*(_cell(value) for value in row))
    return table


def resources(states: Iterable[State], asked: Iterable[str]) -> Table:
    """A resource a line, with what people know it by and the fields that were asked for."""
    found = list(states)
    names = tuple(dict.fromkeys(("name", "state", "project_id", *asked)))
    sources = any(state.resource.source for state in found)
    table = _table("resource", *(("source",) if sources else ()), "existence", *map(text, names))
    for state in found:
        table.add_row(
            text(str(state.resource)),
            *((text(state.resource.source),) if sources else ()),
            Text(state.existence, style=_STYLES[state.existence]),
            *(text(state.fields[name]) if name in state.fields else "-" for name in names),
        )
    return table


def explanation(explained: Explanation) -> Table:
    """The value of a field, what set it, and what confirmed it."""
    shape = shapes.explanation(explained)
    not_collected = "(not collected: no message of this life has spoken of it)"
    lines = {name: shape[name] for name in ("field", "confirmed_by", "last_confirmed")}
    lines |= {f"set by {name}": said for name, said in (shape["set_by"] or {}).items()}
    value = Text(text(explained.value)) if explained.collected else Text(not_collected)
    return pairs({"field": explained.field, "value": value, **lines})


def trial(shape: Shape) -> Table:
    """What a notification would become, its fields unfolded."""
    lines: dict[str, Any] = {}
    for name, value in shape.items():
        if name == "resource":
            lines[name] = f"{value['type']}/{value['id']}"
            lines |= {"source": value["source"]} if value["source"] else {}
        elif isinstance(value, Mapping):
            lines |= {f"{name}: {inner}": Text(text(value[inner])) for inner in sorted(value)}
        else:
            lines[name] = value
    return pairs(lines)


def show(timeline: Timeline, at: int) -> Table:
    """The state at an instant: first what it is the state of, then the fields."""
    segment = timeline.at(at)
    table = _table("", "", header=False)

    def line(name: str, value: str | Text) -> None:
        table.add_row(Text(name, style="bold"), value)

    line("resource", text(str(timeline.resource)))
    if timeline.resource.source:
        line("source", text(timeline.resource.source))
    line("at", clock.format(at))
    if timeline.as_known_at is not None:
        line("as known at", clock.format(timeline.as_known_at))
    line("existence", _existence(segment))
    line("since", _bound(segment.start))
    line("until", _bound(segment.end))
    if segment.life:
        line("life", f"{segment.life}, born: {segment.born}")
    if segment.ambiguous:
        line("ambiguous", Text(", ".join(text(name) for name in segment.ambiguous), style="yellow"))
    deleted = segment.existence is Existence.DELETED
    fields = timeline.last_fields(segment) if deleted else segment.fields
    if fields:
        line("", "")
        if deleted:
            line("before the delete", "")
        for name in sorted(fields):
            table.add_row(text(name), text(fields[name]))
    return table


def history(segments: Sequence[Segment]) -> Table:
    """Segments, oldest first; of each when it begins, and what is different from the one before."""
    table = _table("from", "existence", "life", "changes")
    table.columns[0].no_wrap = True
    before: Segment | None = None
    for segment in segments:
        table.add_row(
            _bound(segment.start),
            _existence(segment),
            f"{segment.life}" if segment.life else "",
            "\n".join(_changes(before, segment)),
        )
        before = segment
    if before is not None and before.end is not None:
        table.add_row(_bound(before.end), "", "", "(the range ends)")
    return table


def diff(difference: Diff) -> Table:
    """What is different between two instants, a field a line."""
    table = _table("field", "before", "after")
    if difference.existence[0] is not difference.existence[1]:
        table.add_row("(existence)", *difference.existence)
    lines: list[tuple[str, str, str]] = [
        (name, text(old), text(new)) for name, (old, new) in difference.changed.items()
    ]
    lines += [(name, "(not collected)", text(value)) for name, value in difference.added.items()]
    lines += [(name, text(value), "(not collected)") for name, value in difference.removed.items()]
    for name, old, new in sorted(lines):
        table.add_row(text(name), old, new)
    return table


def _changes(before: Segment | None, segment: Segment) -> Iterable[str]:
    if segment.existence is not Existence.PRESENT:
        return
    continued = before is not None and before.existence is Existence.PRESENT and before.life == segment.life
    old = before.fields if continued and before is not None else {}
    if not continued:
        yield f"(born: {segment.born})"
    for name in sorted({*old, *segment.fields}):
        if name not in segment.fields:
            yield f"{text(name)}: {text(old[name])} → (not collected)"
        elif name not in old:
            yield f"{text(name)}: {text(segment.fields[name])}"
        elif canonical(old[name]) != canonical(segment.fields[name]):
            yield f"{text(name)}: {text(old[name])} → {text(segment.fields[name])}"
    was = before.ambiguous if before is not None else ()
    if segment.ambiguous:
        yield f"(ambiguous: {', '.join(text(name) for name in segment.ambiguous)})"
    elif continued and was:
        yield "(no longer ambiguous)"


def _existence(segment: Segment) -> Text:
    return Text(segment.existence, style=_STYLES[segment.existence])


def _bound(instant: int | None) -> str:
    return "-" if instant is None else clock.format(instant)


def _cell(value: Any) -> str | Text:
    if isinstance(value, Text):
        return value
    return "-" if value is None else text(value)


def _table(*names: str, header: bool = True) -> Table:
    table = Table(box=box.SIMPLE_HEAD if header else None, show_header=header, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table
