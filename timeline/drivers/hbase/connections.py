"""The open connections of a driver: for one user at a time, thrown away after an error, opened anew after a fork."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakSet

from timeline.drivers.hbase import schema
from timeline.drivers.hbase.errors import ConnectionLost, Translated
from timeline.drivers.hbase.gateway import Gateway
from timeline.drivers.hbase.url import HbaseUrl
from timeline.errors import StoreError

T = TypeVar("T")


class Connections:
    """Connections to a gateway, opened when they are needed and kept for the next user.

    Nobody holds one for longer than a question takes: what is read page by page asks anew for each.
    """

    def __init__(self, url: HbaseUrl) -> None:
        self.url = url
        self.translated = Translated(url.place, url.init, url.timeout)
        self._idle: list[Gateway] = []
        self._closed = False
        _all.add(self)

    def ask(self, question: Callable[[Gateway], T]) -> T:
        """What a question gives back, which is asked once more where the connection broke in the midst."""
        try:
            return self._ask_once(question)
        except ConnectionLost:
            self.close_idle()  # the others are lost too, most likely
            return self._ask_once(question)

    def _ask_once(self, question: Callable[[Gateway], T]) -> T:
        with self.translated:
            gateway = self._take()
            try:
                answer = question(gateway)
            except BaseException:
                gateway.close()  # whatever it was: an answer that is still on its way would be taken for the next one
                raise
            gateway.touch()
            self._idle.append(gateway)
        if self._closed:
            self.close_idle()
        return answer

    def check_open(self) -> None:
        """Raises :class:`~timeline.errors.StoreError` once it was closed."""
        if self._closed:
            raise StoreError("the store was closed: open it again")

    def _take(self) -> Gateway:
        self.check_open()
        while True:
            try:
                gateway = self._idle.pop()
            except IndexError:
                break
            if gateway.is_fresh():
                return gateway
            gateway.close()
        gateway = Gateway(self.url)
        try:
            schema.check(gateway, self.url)
        except BaseException:
            gateway.close()
            raise
        return gateway

    def close(self) -> None:
        """Close what is idle now, and the rest when it is given back."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread took the last one
                return

    def _after_fork_in_child(self) -> None:
        while self._idle:
            self._idle.pop().forget()


_all: WeakSet[Connections] = WeakSet()


def _after_fork_in_child() -> None:
    for connections in list(_all):
        connections._after_fork_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)
