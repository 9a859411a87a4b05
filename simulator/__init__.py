"""A simulated nova fleet: its notifications as they reach a consumer, and the truth beside them.

    from simulator import Fleet

    fleet = Fleet(seed=7, instances=200, days=30, late=0.05, duplicated=0.05)
    for notification in fleet.notifications():      # JSON, in delivery order
        ...
    for instance in fleet.truth():                  # what really happened
        ...

The same from a shell: `python -m simulator --help`.
"""

from simulator.fleet import Fleet

__all__ = ["Fleet"]
