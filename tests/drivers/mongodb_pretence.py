"""What no server of the tests does by itself: refuse who asks, break off after a write, answer nothing."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import bson

from timeline.drivers.mongodb.schema import REVISION

Document = dict[str, Any]
Answer = Callable[[str, Document], Document]

_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_HELLO = {
    "ismaster": True,
    "helloOk": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 17,
    "readOnly": False,
    "ok": 1.0,
}
_MADE: dict[str, list[Document]] = {
    "schema": [{"_id": "timeline", "revision": REVISION, "made": True}],
    "changes": [{"_id": 0, "mark": "0" * 16}],
}


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The URL of what looks like a server with an empty store on it, for who asks little.

    ``answer`` is given the name of each command but greetings, and the command, and gives the reply.
    """
    with _serving(lambda connection: _answer(connection, answer)) as port:
        yield f"mongodb://127.0.0.1:{port}/timeline?serverSelectionTimeoutMS=2000&directConnection=true"


@contextmanager
def silent() -> Iterator[str]:
    """The URL of what takes connections and never says a word."""
    with _serving(lambda connection: connection.recv(1)) as port:
        yield f"mongodb://127.0.0.1:{port}/timeline"


@contextmanager
def breaking_off(url: str, command: str, collection: str) -> Iterator[str]:
    """The URL of the store at another: when this command was done for the first time, the connection breaks.

    Its reply is lost.
    """
    there = urlsplit(url)
    sign = f"\x02{command}\0".encode() + struct.pack("<i", len(collection) + 1) + f"{collection}\0".encode()
    left = [sign]

    def between(connection: socket.socket) -> None:
        with socket.create_connection((there.hostname, there.port)) as server:
            while message := _message(connection):
                server.sendall(message)
                reply = _message(server)
                if left and left[0] in message:
                    left.clear()
                    return
                connection.sendall(reply)

    with _serving(between) as port:
        yield there._replace(netloc=f"127.0.0.1:{port}").geturl()


def a_store(name: str, command: Document) -> Document:
    """The reply to a command where the store is empty."""
    if name in ("find", "listCollections", "listIndexes"):
        found: list[Document] = _MADE.get(str(command.get(name)), [])
        if name == "listCollections":
            kinds = ("resources", "streams", "bodies", "events", "appends", "quarantine", *_MADE)
            found = [{"name": kind, "type": "collection"} for kind in kinds]
        if name == "listIndexes":
            found = _indexes(str(command[name]))
        return {"ok": 1.0, "cursor": {"id": 0, "ns": f"timeline.{command.get(name)}", "firstBatch": found}}
    return {"ok": 1.0, "n": 1}


def _indexes(collection: str) -> list[Document]:
    keys = {
        "resources": {"by_id": ["id", "_id"]},
        "quarantine": {"by_age": ["received_at", "_id"], "unsettled_by_age": ["settled", "received_at", "_id"]},
    }
    return [
        {"name": name, "key": dict.fromkeys(fields, 1), "v": 2} for name, fields in keys.get(collection, {}).items()
    ]


@contextmanager
def _serving(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = [Thread(target=_accept, args=(listener, serve), daemon=True)]
        threads[0].start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, serve: Callable[[socket.socket], object]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # that is the end of the test
        Thread(target=_served, args=(connection, serve), daemon=True).start()


def _served(connection: socket.socket, serve: Callable[[socket.socket], object]) -> None:
    with connection, suppress(OSError):  # the client is gone
        serve(connection)


def _answer(connection: socket.socket, answer: Answer) -> None:
    while message := _message(connection):
        _, number, _, kind = struct.unpack_from("<iiii", message)
        if kind == _OP_QUERY:
            body = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(_HELLO)
            connection.sendall(struct.pack("<iiii", 16 + len(body), 1, number, _OP_REPLY) + body)
            continue
        size = struct.unpack_from("<i", message, 21)[0]
        command = bson.decode(message[21 : 21 + size])
        name = next(iter(command))
        reply = _HELLO if name.lower() in ("hello", "ismaster") else answer(name, command)
        body = struct.pack("<i", 0) + b"\0" + bson.encode(reply)
        connection.sendall(struct.pack("<iiii", 16 + len(body), 1, number, _OP_MSG) + body)


def _message(connection: socket.socket) -> bytes:
    """The next message; nothing where there is no more."""
    head = _received(connection, 4)
    return head + _received(connection, struct.unpack("<i", head)[0] - 4) if head else b""


def _received(connection: socket.socket, number: int) -> bytes:
    data = b""
    while len(data) < number:
        some = connection.recv(number - len(data))
        if not some:
            return b""
        data += some
    return data
