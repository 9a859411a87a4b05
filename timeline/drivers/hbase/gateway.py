"""One connection to a Thrift gateway, and what can be asked over it: pages of rows, rows by key, puts, counters.

The wire and its words are happybase's. Its ``Connection`` is not used: it has no time-out for connecting alone, and one
that is collected in a forked child shuts down the connection of the parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from socket import AF_INET, AF_INET6
from time import monotonic
from typing import Any, TypeAlias

from happybase.batch import BatchMutation, Mutation
from happybase.connection import THRIFT_PROTOCOLS, THRIFT_TRANSPORTS, ColumnDescriptor, Hbase, TClient, TSocket
from happybase.table import TScan
from Hbase_thrift import AlreadyExists, IOError  # type: ignore[import-not-found]

from timeline.drivers.hbase.codec import FAMILY
from timeline.drivers.hbase.errors import is_no_table, is_table_there
from timeline.drivers.hbase.url import HbaseUrl

Cells: TypeAlias = dict[bytes, bytes]
"""The values of a row by their columns."""
Row: TypeAlias = tuple[bytes, Cells]
Put: TypeAlias = tuple[bytes, Sequence[tuple[bytes, bytes]]]
"""A row, and its columns with their values."""

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 50.0
"""The gateway closes what was idle for a minute."""
_TOGETHER_BYTES, _TOGETHER_CELLS = 8 * 1024 * 1024, 5_000
"""Of what is put in one call; much more ends the gateway for want of memory."""
_OVERHEAD_BYTES = 64
"""Of a cell on the wire, about."""
_CELLS = 32
"""Of a row that come in one piece: of a resource that says the same for years one row has many thousands."""


class Gateway:
    """A connection, open. After an error it has to be closed: it may give this answer to the next question."""

    def __init__(self, url: HbaseUrl) -> None:
        self._prefix = url.prefix.encode()
        self._socket = TSocket(
            url.host,
            url.port,
            socket_family=AF_INET6 if ":" in url.host else AF_INET,
            socket_timeout=url.timeout * 1_000,
            connect_timeout=min(url.timeout, _CONNECT_SECONDS) * 1_000,
        )
        transport = THRIFT_TRANSPORTS[url.transport](self._socket)
        protocol = THRIFT_PROTOCOLS[url.protocol](transport, decode_response=False)
        self._client: Any = TClient(Hbase, protocol)
        transport.open()
        self._used = monotonic()

    def is_fresh(self) -> bool:
        """Whether it was used so lately that the gateway has not closed it."""
        return monotonic() - self._used < _IDLE_SECONDS

    def touch(self) -> None:
        """Note that it was used now."""
        self._used = monotonic()

    def close(self) -> None:
        """Close it. Doing so twice is harmless."""
        self._socket.close()

    def forget(self) -> None:
        """Close this process's end of a connection that belongs to its parent, who goes on with it."""
        inner, self._socket.sock = self._socket.sock, None
        if inner is not None:
            inner.close()  # without a shutdown, which would be the parent's too

    # Tables

    def families(self, table: str) -> dict[bytes, int] | None:
        """The column families of a table, each with its colon and how many versions of a cell it keeps.

        ``None`` where there is no such table.
        """
        try:
            found = self._client.getColumnDescriptors(self._table(table))
        except IOError as error:
            if is_no_table(error):
                return None
            raise
        return {name.partition(b":")[0] + b":": family.maxVersions for name, family in found.items()}

    def create(self, table: str) -> bool:
        """Make a table with our one family, which keeps one version of each cell; not if another does so just now."""
        family = ColumnDescriptor(name=FAMILY, maxVersions=1, blockCacheEnabled=True, bloomFilterType="ROW")
        try:
            self._client.createTable(self._table(table), [family])
        except (AlreadyExists, IOError) as error:
            if not is_table_there(error):
                raise
            return False
        return True

    def is_ready(self, table: str) -> bool:
        """Whether a table can be read."""
        try:
            self.rows(table, [b"\0"])
        except IOError as error:
            if is_no_table(error):
                return False
            raise
        return True

    # Reading

    def page(
        self,
        table: str,
        start: bytes,
        stop: bytes,
        number: int,
        *,
        columns: Sequence[bytes] | None = None,
        filter: bytes | None = None,
        whole: bool = False,
    ) -> tuple[list[Row], bool]:
        """The first rows of ``[start, stop)``, and whether these are all. Three round trips, unless one row is huge.

        The rows are whole; there are at most ``number`` of them, and fewer where rows have many cells. ``whole`` says
        that no row has many, or that a filter sees to it.
        """
        if not start < stop:  # an empty range gives the row at its start, if it is there
            return [], True
        scan = TScan(
            startRow=start,
            stopRow=stop,
            columns=columns,
            filterString=filter,
            caching=number,
            batchSize=None if whole else _CELLS,
        )
        scanner = self._client.scannerOpenWithScan(self._table(table), scan, {})
        results = list(self._client.scannerGetList(scanner, number))
        done = len(results) < number
        while not done and results[0].row == results[-1].row and not whole:
            more = self._client.scannerGetList(scanner, number)
            results += more
            done = len(more) < number
        self._client.scannerClose(scanner)
        rows: list[Row] = []
        for result in results:
            cells = {name: cell.value for name, cell in result.columns.items()}
            if rows and rows[-1][0] == result.row:
                rows[-1][1].update(cells)
            else:
                rows.append((result.row, cells))
        if not done and not whole:
            rows.pop()  # of the last one there may be more: it is read again with the next page
        return rows, done

    def rows(self, table: str, keys: Sequence[bytes], columns: Sequence[bytes] | None = None) -> dict[bytes, Cells]:
        """Rows by their keys, each given once; those that are not there are left out. One round trip."""
        if not keys:
            return {}
        if columns is None:
            found = self._client.getRows(self._table(table), list(keys), {})
        else:
            found = self._client.getRowsWithColumns(self._table(table), list(keys), list(columns), {})
        return {one.row: {name: cell.value for name, cell in one.columns.items()} for one in found}

    # Writing

    def put(self, table: str, rows: Iterable[Put], at: int) -> None:
        """Put rows, with this time stamp for every cell; of two puts of a cell the one with the greater stamp stays."""
        for some in _together(rows):
            self._client.mutateRowsTs(self._table(table), some, at, {})

    def swap(self, table: str, row: bytes, column: bytes, expected: bytes | None, value: bytes) -> bool:
        """Put a cell if its value is still the expected one, or if it is not there; whether it was."""
        mutation = Mutation(column=column, value=value)
        return bool(self._client.checkAndPut(self._table(table), row, column, expected, mutation, {}))

    def count(self, table: str, row: bytes, column: bytes) -> int:
        """Add one to a counter, and say what it is then."""
        return int(self._client.atomicIncrement(self._table(table), row, column, 1))

    def take_away(self, table: str, rows: Mapping[bytes, Sequence[bytes]], until: int) -> None:
        """Delete columns of rows as far as their cells are not newer than a time stamp."""
        some = [
            BatchMutation(row, [Mutation(isDelete=True, column=column) for column in columns])
            for row, columns in rows.items()
        ]
        if some:
            self._client.mutateRowsTs(self._table(table), some, until, {})

    def _table(self, name: str) -> bytes:
        return b"%b_%b" % (self._prefix, name.encode())


def _together(rows: Iterable[Put]) -> Iterator[list[Any]]:
    """Rows as the wire has them, as many in one call as it can bear."""
    some: list[Any] = []
    cells = size = 0
    for row, columns in rows:
        mutations: list[Any] = []
        for column, value in columns:
            grown = len(row) + len(column) + len(value) + _OVERHEAD_BYTES
            if (some or mutations) and (size + grown > _TOGETHER_BYTES or cells == _TOGETHER_CELLS):
                if mutations:
                    some.append(BatchMutation(row, mutations))
                yield some
                some, mutations, cells, size = [], [], 0, 0
            mutations.append(Mutation(column=column, value=value))
            cells += 1
            size += grown
        some.append(BatchMutation(row, mutations))
    if some:
        yield some
