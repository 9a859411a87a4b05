"""The wire that tests make bad: what it does to both ends, and that it is whole again afterwards."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from time import monotonic
from typing import NamedTuple

import pytest

from tests.faults.proxy import Wire

PATIENCE = 0.2


class Ends(NamedTuple):
    """A wire, and the sockets at its ends."""

    wire: Wire
    client: socket.socket
    served: socket.socket


def connected(wire: Wire, server: socket.socket) -> tuple[socket.socket, socket.socket]:
    client = socket.create_connection(("127.0.0.1", wire.port), timeout=PATIENCE)
    served, _ = server.accept()
    served.settimeout(PATIENCE)
    return client, served


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


@pytest.fixture
def ends(server: socket.socket) -> Iterator[Ends]:
    with closing(Wire(*server.getsockname())) as wire:
        client, served = connected(wire, server)
        with client, served:
            yield Ends(wire, client, served)


def heard(end: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += end.recv(size - len(found))
    return found


def test_it_passes_on_what_is_said_both_ways_and_that_it_has_ended(ends: Ends) -> None:
    ends.client.sendall(b"question")
    assert heard(ends.served, 8) == b"question"
    ends.served.sendall(b"a" * 50_000)
    assert heard(ends.client, 50_000) == b"a" * 50_000
    ends.client.close()
    assert ends.served.recv(1) == b""


@pytest.mark.parametrize("hears", [True, False])
def test_half_open_it_says_nothing_to_the_server_and_later_all(ends: Ends, hears: bool) -> None:
    ends.wire.half_open(hears=hears)
    ends.client.sendall(b"question")
    ends.served.sendall(b"news")
    with pytest.raises(TimeoutError):
        ends.served.recv(1)
    if hears:
        assert heard(ends.client, 4) == b"news"
    else:
        with pytest.raises(TimeoutError):
            ends.client.recv(1)
    ends.wire.heal()
    assert heard(ends.served, 8) == b"question"


def test_a_reset_breaks_both_ends_and_new_ones_are_taken(ends: Ends, server: socket.socket) -> None:
    ends.wire.reset()
    for end in (ends.client, ends.served):
        end.settimeout(10)
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    client, served = connected(ends.wire, server)
    with client, served:
        client.sendall(b"again")
        assert heard(served, 5) == b"again"


def test_parted_it_refuses_who_connects_anew(ends: Ends, server: socket.socket) -> None:
    ends.wire.part()
    with socket.socket() as refused:
        refused.settimeout(10)
        with pytest.raises(ConnectionError):  # when it connects, or as soon as it listens
            _ = refused.connect(("127.0.0.1", ends.wire.port)) or refused.recv(1)
    ends.wire.heal()
    client, served = connected(ends.wire, server)
    client.close()
    served.close()


def test_slow_it_says_everything_later(ends: Ends) -> None:
    ends.wire.slow(0.05)
    ends.served.settimeout(10)
    began = monotonic()
    ends.client.sendall(b"question")
    assert heard(ends.served, 8) == b"question"
    assert monotonic() - began >= 0.05
