"""The conformance kit: what :mod:`timeline.drivers.contract` says, as tests that any driver can be held to.

Needs pytest to run and hypothesis, which ``pip install 'resource-timeline[test]'`` brings. One method says how to get a
store, and the rest is inherited::

    from contextlib import contextmanager
    from timeline import drivers
    from timeline.drivers.conformance import DriverConformance

    class TestMine(DriverConformance):
        @contextmanager
        def store(self):
            with an_empty_place() as place:
                yield lambda: drivers.open(f"mine://{place}")
"""

from __future__ import annotations

from timeline.drivers.conformance.amounts import Amounts
from timeline.drivers.conformance.appending import Appending
from timeline.drivers.conformance.changing import Changing
from timeline.drivers.conformance.concurrency import Concurrency
from timeline.drivers.conformance.identity import Identity
from timeline.drivers.conformance.keeping import Keeping
from timeline.drivers.conformance.knowing import Knowing
from timeline.drivers.conformance.processes import Processes
from timeline.drivers.conformance.quarantine import Quarantining
from timeline.drivers.conformance.reading import Reading
from timeline.drivers.conformance.refusing import Refusing
from timeline.drivers.conformance.restarting import Restarting

__all__ = ["DriverConformance"]


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
):
    """Everything that a driver owes. Override :meth:`store`, and nothing else."""
