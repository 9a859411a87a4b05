"""A server that is killed and started again, between writes and in the midst of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from random import Random
from threading import Event as Flag
from typing import TypeVar

import pytest

from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.conformance.refusing import CALLS, refuses
from timeline.drivers.conformance.store import OnAStore, Server
from timeline.drivers.contract import Driver
from timeline.errors import StoreError, StoreUnavailable
from timeline.model import Event, Outcome, Resource, Scope

T = TypeVar("T")
KILLED = 3


class Restarting(OnAStore):
    """What was acknowledged is safe, what was not is sent again, and the same driver goes on."""

    def test_a_server_killed_between_writes_has_all_that_was_acknowledged(self) -> None:
        with self._a_server() as server, closing(server.open()) as driver:
            driver.prepare()
            history = [event(at, at % 9, of=number(at % 7)) for at in range(300)]
            driver.append(history[:150])
            driver.put([record("aa"), record("bb")])
            driver.settle("aa", Outcome.STORED, 9)
            token = driver.version()
            driver.append(history[150:200])
            server.kill()
            server.start()
            found = _at_the_second_call(partial(_events, driver, Scope()))
            assert found == wanted(history[:200])
            assert list(driver.list()) == [record("bb")]
            assert driver.find("aa")[0].outcome is Outcome.STORED
            changed = driver.changed(token)
            assert changed is None or {one.resource for one in history[150:200]} <= set(changed)
            again = driver.append(history)
            assert again.events in (100, None)
            assert again.bodies in (0, None)
            with closing(server.open()) as another:
                for reader in (driver, another):
                    assert list(reader.events(Scope())) == wanted(history)

    def test_while_its_server_is_gone_a_driver_is_told_so_by_every_call_and_then_goes_on(self) -> None:
        with self._a_server() as server, closing(server.open()) as driver, closing(server.open()) as idle:
            driver.prepare()
            everybody = [number(n) for n in range(2_500)]
            driver.append([event(1, of=one) for one in everybody])
            for one in (driver, idle):  # none of these may be answered from what is known already
                one.version()
                one.summary()
                one.resources(Scope())
            answer = driver.events(Scope())
            seen = [next(answer)]
            server.kill()
            try:
                seen += answer
            except StoreError:
                pass
            else:
                assert [one.resource for one in seen] == everybody, "an answer that broke off passed for a whole one"
            with closing(server.open()) as late:
                for name, call in CALLS.items():
                    refuses(driver, name, call, StoreUnavailable)
                for name in ("append", "events"):  # each may wait: one that was opened too late need not be asked all
                    refuses(late, name, CALLS[name], StoreUnavailable)
                server.start()
                for one in (driver, late, idle):
                    assert _at_the_second_call(partial(_events, one, [everybody[0]])) == [event(1, of=everybody[0])]
                    # none of the calls that were refused has left anything
                    assert _events(one, [VM]) == []
                    assert list(one.list()) == []
                driver.append([event(1)])
                assert _events(late, [VM]) == _events(idle, [VM]) == [event(1)]

    def test_a_server_killed_in_the_midst_of_writes_loses_nothing_that_was_acknowledged(self) -> None:
        rng = Random("midst")
        with self._a_server() as server, closing(server.open()) as driver:
            driver.prepare()
            before: list[Event] = []
            for turn in range(KILLED):
                sent = _killed_while_writing(server, driver, turn, after=rng.randint(1, 20))
                acknowledged = list(chain.from_iterable(sent[:-1]))
                surely = wanted([*before, *acknowledged])
                perhaps = wanted([*surely, *sent[-1]])
                stored = _at_the_second_call(partial(_events, driver, Scope()))
                known = set(stored)
                assert known.issuperset(surely), "what was acknowledged is gone"
                assert stored == [one for one in perhaps if one in known], "more than was sent"
                assert len(stored) % 20 == 0 or not self.transactions, "half of an append"
                for batch in sent:
                    driver.append(batch)
                assert list(driver.events(Scope())) == perhaps
                assert driver.summary().events == len(perhaps)
                before = perhaps

    @contextmanager
    def _a_server(self) -> Iterator[Server]:
        server = self.server()
        if server is None:
            pytest.skip("a store without a server that could be killed")
        with server as running:
            yield running


def _killed_while_writing(server: Server, driver: Driver, turn: int, *, after: int) -> list[list[Event]]:
    """The batches that were sent until the server was killed; the last of them was not acknowledged."""
    sent: list[list[Event]] = []
    enough, killed = Flag(), Flag()

    def write() -> None:
        while not killed.is_set():
            sent.append([event(len(sent), turn, of=number(n)) for n in range(20)])
            try:
                driver.append(sent[-1])
            except StoreError:
                return
            if len(sent) >= after:
                enough.set()
        sent.append([])  # the one that it was killed in was the last, and was acknowledged

    with ThreadPoolExecutor() as pool:
        written = pool.submit(write)
        written.add_done_callback(lambda _: enough.set())
        enough.wait()
        assert not written.done(), "a server that runs refused an append"
        server.kill()
        killed.set()
        written.result()
    server.start()
    return sent


def _at_the_second_call(call: Callable[[], T]) -> T:
    """The answer; the first call after a restart may find that the connection is gone."""
    try:
        return call()
    except StoreUnavailable:
        return call()


def _events(driver: Driver, which: Scope | list[Resource]) -> list[Event]:
    return list(driver.events(which))
