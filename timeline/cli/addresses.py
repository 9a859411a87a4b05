"""Where something is served, as it is written on the command line."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import click

LOCAL = "127.0.0.1"
"""Where it is served unless told otherwise: for this machine alone."""

_ADDRESS = re.compile(r"(?:(?P<host>[^\s:\[\]]+|\[(?P<six>[0-9a-fA-F:.%\w]+)\]):)?(?P<port>[0-9]{1,5})").fullmatch


class Address(NamedTuple):
    """A host and a port."""

    host: str
    port: int


class AddressType(click.ParamType[Address]):
    """``PORT`` or ``HOST:PORT``; a host that is an address of version 6 stands in brackets."""

    name = "[HOST:]PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        if isinstance(value, Address):
            return value
        said = _ADDRESS(str(value))
        if said is None or int(said["port"]) > 65_535:
            self.fail(f"{value!r} is no address: 9464, 0.0.0.0:9464 and [::1]:9464 are", param, ctx)
        return Address(said["six"] or said["host"] or LOCAL, int(said["port"]))


ADDRESS = AddressType()
