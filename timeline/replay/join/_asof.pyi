from typing import Any

from numpy.typing import NDArray

Integers = NDArray[Any]

def locate(
    ids: Integers,
    groups: Integers,
    times: Integers,
    unit: str,
    first: Integers,
    last: Integers,
    starts: Integers,
    rows: Integers,
    /,
) -> None: ...
def any_negative(codes: Integers, /) -> bool: ...
def pack(columns: list[Integers], /) -> bytearray | None: ...
def gather(
    positions: Integers, columns: list[tuple[Integers, Integers, Integers | None]], table: bytearray | None, /
) -> list[int]: ...
