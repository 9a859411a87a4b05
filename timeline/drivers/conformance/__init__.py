"""The conformance kit: what :mod:`timeline.drivers.contract` says, as tests that any driver can be held to.

It is in the package, for drivers of other distributions as for ours. It needs pytest to run and hypothesis, which
``pip install 'resource-timeline[test]'`` brings. One method says how to get a store, and the rest is inherited::

    from contextlib import contextmanager
    from timeline import drivers
    from timeline.drivers.conformance import DriverConformance, Server

    class TestMine(DriverConformance):
        @contextmanager
        def store(self):
            with an_empty_place() as place:
                yield lambda: drivers.open(f"mine://{place}")

A driver is found by its scheme, through an entry point in the group ``timeline.drivers``; the kit opens it so, or calls
the class itself.

What a store is stands in attributes; :class:`~timeline.drivers.conformance.store.OnAStore` says what each means:

===================  ===============================================================================================
``transactions``     ``False`` where an append may be seen in part, and an answer may show several moments
``processes``        ``False`` where no other process reaches the store
``made_by_opening``  ``True`` where a store needs no ``prepare``
``many_events``      and ``many_resources``, ``many_answers``: how much a slow server is given
===================  ===============================================================================================

Where there is a server, ``server`` gives one that a test may kill::

        @contextmanager
        def server(self):
            with a_server_of_its_own() as mine:
                yield Server(open=lambda: drivers.open(mine.url), kill=mine.kill, start=mine.start)

Where a driver waits for a server that is gone, let this URL say for how short. Without ``server`` those tests are
reported as skipped, as are the others that make no sense for a store.

A test that fails says more where pytest rewrites its assertions: in ``conftest.py``, before the kit is imported,
``pytest.register_assert_rewrite("timeline.drivers.conformance")``.
"""

from __future__ import annotations

from timeline.drivers.conformance.amounts import Amounts
from timeline.drivers.conformance.appending import Appending
from timeline.drivers.conformance.changing import Changing
from timeline.drivers.conformance.concurrency import Concurrency
from timeline.drivers.conformance.identity import Identity
from timeline.drivers.conformance.keeping import Keeping
from timeline.drivers.conformance.knowing import Knowing
from timeline.drivers.conformance.limiting import Limiting
from timeline.drivers.conformance.processes import Processes
from timeline.drivers.conformance.quarantine import Quarantining
from timeline.drivers.conformance.reading import Reading
from timeline.drivers.conformance.refusing import Refusing
from timeline.drivers.conformance.restarting import Restarting
from timeline.drivers.conformance.store import Server

__all__ = ["DriverConformance", "Server"]


class DriverConformance(
    Appending,
    Reading,
    Knowing,
    Changing,
    Concurrency,
    Processes,
    Restarting,
    Amounts,
    Identity,
    Quarantining,
    Keeping,
    Refusing,
    Limiting,
):
    """Everything that a driver owes. Override :meth:`store`, :meth:`server` where there is one, and no test."""
