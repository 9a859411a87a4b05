"""The command that joins samples to the timelines."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, get_args

import click
import msgspec

from timeline.cli import outputs
from timeline.cli.options import (
    as_known_at_option,
    definitions_option,
    examples,
    open_engine,
    output,
    print_object,
    print_table,
    source_option,
    store_option,
)
from timeline.replay.join.options import POLICIES, WORDS, JoinCounts, Policy, Unit

if TYPE_CHECKING:
    import pyarrow as pa

    from timeline.consumers.samples import Samples

_NAMED = 10
"""The meters that are named at the end."""

_SIZE = re.compile(r"(?P<number>[0-9]{1,15})\s*(?P<unit>[kmgt]?)(?P<binary>i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LEAST_MEMORY = 250_000_000

_ADDED = 40
"""The bytes of a row that are reckoned with where all fields are asked for."""


class Span(click.ParamType[int]):
    """A span on the command line: seconds, ``90s``, ``10m``, ``1h``, ``1d``, ``1w``. In microseconds."""

    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from timeline import clock
        from timeline.errors import TimeError

        text = str(value)
        try:
            span = -clock.instant(f"-{text}s" if text.isdecimal() else f"-{text}", relative_to=0)
        except TimeError:
            span = 0
        if span <= 0:
            self.fail(f"{text!r} is no span such as 600, 90s, 10m or 1h", param, ctx)
        return span


class Size(click.ParamType[int]):
    """A number of bytes on the command line: ``500MB``, ``1GB``, ``2GiB``."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        said = _SIZE.fullmatch(str(value))
        if said is None:
            self.fail(f"{value!r} is no size such as 500MB or 1GB", param, ctx)
        unit = 1024 if said["binary"] else 1000
        size: int = int(said["number"]) * unit ** _POWERS[said["unit"].lower()]
        if size < _LEAST_MEMORY:
            self.fail(f"{value} is too little: at least 250MB are needed", param, ctx)
        return size


def _columns(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in value:
        word, equals, name = text.partition("=")
        if not equals or not name or word not in WORDS:
            raise click.BadParameter(f"{text!r} is not WORD=NAME, where WORD is one of {', '.join(WORDS)}")
        if columns.setdefault(word, name) != name:
            raise click.BadParameter(f"{word} cannot be two columns")
    return columns


@click.command(
    epilog=examples(
        "timeline join samples.parquet --fields flavor,project_id -o joined.parquet",
        "timeline join samples.csv --type instance --column resource_id=uuid --column timestamp=time -o joined.csv",
        "timeline join hourly.jsonl --policy split --period 1h --fields flavor -o parts.jsonl",
    )
)
@click.argument("paths", metavar="SAMPLES...", nargs=-1, required=True)
@outputs.fields_option
@outputs.output_options
@click.option("--type", "kind", metavar="TYPE", help="The type of all resources; unless given, the meters tell it.")
@source_option
@click.option(
    "--column",
    "columns",
    metavar="WORD=NAME",
    multiple=True,
    callback=_columns,
    help=f"What a column is called in SAMPLES. WORD is one of {', '.join(WORDS)}; the last three are used only if "
    "named so. May be given several times.",
)
@click.option(
    "--unit",
    type=click.Choice(get_args(Unit)),
    default="us",
    show_default=True,
    help="The unit of times that are numbers.",
)
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    default="at",
    show_default=True,
    help="What of the time that a sample covers is joined: its timestamp alone, the start, the end, or all parts.",
)
@click.option(
    "--period",
    type=Span(),
    help="The time that each sample covers, up to its timestamp, such as 600, 10m or 1h; unless given, the time since "
    "the previous one.",
)
@click.option(
    "--cumulative",
    metavar="METER",
    multiple=True,
    help="A meter that counts up, or all or none; unless given, the definitions tell it. May be given several times.",
)
@click.option("--prefix", default="", metavar="TEXT", help="Put before the names of the columns that are added.")
@click.option("--collected", is_flag=True, help="Add a column for each field that tells null from not collected.")
@click.option("--since", is_flag=True, help="Add a column that tells since when the state was in force.")
@click.option(
    "--memory",
    type=Size(),
    default="1GB",
    show_default=True,
    help="The memory to use, besides what the timelines need.",
)
@as_known_at_option
@store_option
@definitions_option
@outputs.form_option
def join_(
    paths: tuple[str, ...],
    fields: list[str] | None,
    out: str | None,
    force: bool,
    kind: str | None,
    source: str | None,
    columns: dict[str, str],
    unit: Unit,
    policy: Policy,
    period: int | None,
    cumulative: tuple[str, ...],
    prefix: str,
    collected: bool,
    since: bool,
    memory: int,
    as_known_at: int | None,
    store: str,
    definitions_file: str | None,
    form: str | None,
) -> None:
    """Join samples to what was in force at their times.

    SAMPLES are files of Parquet, CSV or JSON lines, all of one kind, or - for standard input. A sample has a
    resource_id, a meter and a timestamp, and whatever else: it is written as it is, followed by existence (present,
    deleted or unknown) and the fields. Files may be greater than memory. OUT is there when it is whole, not before.
    """
    out = None if out == "-" else out
    form = outputs.form_of(out, form)
    if out is not None:
        outputs.check(out, replace=force, inputs=paths)
    from timeline.replay.kinds import need_arrow

    need_arrow("timeline join")
    from timeline.errors import InputError

    samples = _samples(paths, fields, form, kind, columns, policy, memory)
    with open_engine(store, definitions_file) as engine, ExitStack() as stack:
        engine.driver.version()  # if there is no store, it is said before anything is read
        stream = None if out is None else stack.enter_context(outputs.written(out))
        work = _Work(samples, form, memory, columns.get("value", "value"))
        with _progress(samples) as advance:

            def progress(counts: JoinCounts) -> None:
                work.counts = counts
                advance(counts)

            def join(given: Any) -> Any:
                return engine.join(
                    given,
                    fields,
                    type=kind,
                    source=source or "",
                    columns=columns,
                    unit=unit,
                    policy=policy,
                    period=period,
                    cumulative=_cumulative(cumulative),
                    prefix=prefix,
                    collected=collected,
                    since=since,
                    as_known_at=as_known_at,
                    progress=progress,
                )

            try:
                shown = work.done(join, stream or output())
            except InputError as error:
                raise samples.located(error) from error
    if shown is not None:
        outputs.show(shown)
    if shown is None or shown.complete:
        _tell(work.counts, report=out is not None)


class _Work:
    """Samples that are read, joined and written, each in its own thread."""

    def __init__(self, samples: Samples, form: str, memory: int, value: str) -> None:
        self.counts = JoinCounts()
        self._samples = samples
        self._form = form
        self._memory = memory
        self._value = value

    def done(self, join: Callable[[Any], Any], stream: IO[bytes]) -> outputs.First | None:
        """Write all that is joined; what is for a screen is returned."""
        if self._samples.form == "jsonl" and self._form in ("jsonl", "json", "table"):
            # each line as it is, whatever others say
            rows: Iterator[dict[str, Any]] = join(self._samples.dicts())
            if self._form == "table":
                first = list(islice(rows, outputs.SHOWN + 1))
                return outputs.First(list(dict.fromkeys(name for row in first for name in row)), first)
            from timeline.reports import formats

            formats.write_list(rows, stream, lines=self._form == "jsonl")
            return None
        with self._joined(join) as (schema, batches):
            if self._form == "table":
                return outputs.first(schema, batches)
            outputs.write(schema, batches, self._form, stream, memory=self._memory, numbers=(self._value,))
        return None

    @contextmanager
    def _joined(self, join: Callable[[Any], Any]) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        import pyarrow as pa

        from timeline.cli.ahead import Ahead

        reader = self._samples.reader()
        with ExitStack() as stack:
            reading = stack.enter_context(Ahead(reader))
            joined = join(pa.RecordBatchReader.from_batches(reader.schema, reading))
            joining = stack.enter_context(Ahead(joined))
            stack.callback(reading.stop)  # first: who joins may be waiting for it
            yield joined.schema, joining


def _samples(
    paths: tuple[str, ...],
    fields: list[str] | None,
    form: str,
    kind: str | None,
    columns: Mapping[str, str],
    policy: str,
    memory: int,
) -> Samples:
    from timeline.consumers.samples import Asked, Samples

    if "-" in paths and sys.stdin is None:
        raise click.UsageError("standard input is closed, so there is nothing to read from -")
    if paths.count("-") > 1:
        raise click.UsageError("standard input can be read once")
    asked = Asked(
        columns=columns,
        as_text=form != "parquet",
        numbers=() if policy == "at" else ("value",),
        memory=memory,
        added=_ADDED if fields is None else 2 + 2 * len(fields),
    )
    needed = ["resource_id", "timestamp", *(word for word in ("type", "source", "start") if word in columns)]
    if kind is None and "type" not in columns:
        needed.append("meter")
    return Samples(paths, asked, needed)


def _cumulative(meters: tuple[str, ...]) -> bool | list[str] | None:
    if "all" in meters or "none" in meters:
        if len(meters) > 1:
            raise click.UsageError("--cumulative all and none stand for every meter: no other can be named")
        return meters == ("all",)
    return list(meters) or None


def _tell(counts: JoinCounts, *, report: bool) -> None:
    """Tell what became of the samples: on standard output unless the samples are there."""
    from timeline.reports import formats, tables

    if report:
        shape = msgspec.structs.asdict(counts)
        if sys.stdout.isatty():
            print_table(tables.pairs({**shape, "no_rule": shape["no_rule"] or None}))
        else:
            print_object(shape, "json")
    else:
        parts = f"{counts.present:,} present, {counts.deleted:,} deleted, {counts.unknown:,} unknown"
        rows = "" if counts.rows == counts.samples else f" in {counts.rows:,} rows"
        samples = "1 sample" if counts.samples == 1 else f"{counts.samples:,} samples"
        click.echo(f"timeline: {samples}{rows}: {parts}", err=True)
    if counts.no_rule:
        most = sorted(counts.no_rule.items(), key=lambda item: (-item[1], item[0]))
        named = ", ".join(f"{formats.printable(name) or '(none)'} ({number:,})" for name, number in most[:_NAMED])
        more = f" and {len(most) - _NAMED} more" if len(most) > _NAMED else ""
        click.echo(
            f"timeline: unknown, since no rule tells the type of these meters: {named}{more}; "
            "--type or a column for it (--column type=NAME) tells it",
            err=True,
        )
    if counts.kernel == "numpy":
        click.echo(
            "timeline: joined by NumPy, as the compiled kernel was not built: the same answers, slower", err=True
        )


@contextmanager
def _progress(samples: Samples) -> Iterator[Callable[[JoinCounts], None]]:
    """A bar on the screen where a person looks."""
    if not sys.stderr.isatty():
        yield lambda counts: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    total = samples.total_bytes if samples.rows is None else samples.rows
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%" if total else ""),
        TextColumn("{task.fields[samples]:,} samples, {task.fields[unknown]:,} unknown"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, samples=0, unknown=0)

        def advance(counts: JoinCounts) -> None:
            done = samples.bytes_read if samples.rows is None else counts.samples
            bar.update(task, completed=done, samples=counts.samples, unknown=counts.unknown)

        yield advance
