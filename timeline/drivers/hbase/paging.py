"""A range of rows, read page by page.

Each page is a question of its own. So no connection and no scanner is held while nobody asks for the next row: an
answer may be abandoned, outlive a restart of the gateway, or go on after a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.gateway import Gateway, Row


def rows(
    connections: Connections,
    table: str,
    start: bytes,
    stop: bytes,
    *,
    columns: Sequence[bytes] | None = None,
    filter: bytes | None = None,
    whole: bool = False,
    first: int = 64,
    most: int = 1_000,
    wanted_from: Callable[[bytes], bytes] | None = None,
) -> Iterator[Row]:
    """The rows of ``[start, stop)`` in order, ``first`` in the first page and up to ``most`` in a later one.

    ``wanted_from`` tells, of a row that comes next, from where on rows are wanted at all: what lies between is passed
    over, where it is not in the page already. The other arguments are those of :meth:`Gateway.page`.
    """
    number = first
    while start < stop:
        question = partial(
            Gateway.page,
            table=table,
            start=start,
            stop=stop,
            number=number,
            columns=columns,
            filter=filter,
            whole=whole,
        )
        page, done = connections.ask(question)
        yield from page
        if done:
            return
        last = page[-1][0]
        start = last + b"\0"
        if wanted_from is None or wanted_from(last) <= last:  # otherwise the end of the page was in vain
            number = min(4 * number, most)
        if wanted_from is not None:
            start = max(start, wanted_from(start))
