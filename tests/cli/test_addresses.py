"""Addresses on the command line."""

import click
import pytest

from timeline.cli.addresses import ADDRESS, Address


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("9464", Address("127.0.0.1", 9464)),
        ("0", Address("127.0.0.1", 0)),
        ("0.0.0.0:9464", Address("0.0.0.0", 9464)),
        ("metrics.example.org:65535", Address("metrics.example.org", 65535)),
        ("[::1]:9464", Address("::1", 9464)),
        (Address("127.0.0.1", 1), Address("127.0.0.1", 1)),
    ],
)
def test_a_port_alone_is_one_of_this_machine_and_a_host_may_stand_before_it(written: object, meant: Address) -> None:
    assert ADDRESS.convert(written, None, None) == meant


@pytest.mark.parametrize("written", ["", "host", ":9464", "::1:9464", "host:", "65536", "-1", "a b:1", "host:1x", "１"])
def test_what_is_no_address_is_refused_with_examples(written: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is no address: 9464, 0\.0\.0\.0:9464 and \[::1\]:9464 are"):
        ADDRESS.convert(written, None, None)
