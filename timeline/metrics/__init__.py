"""What a consumer tells about its work while it works: numbers for Prometheus, and whether all is well.

The run loop and the source tell a :class:`Metrics` what they do, once a batch. What it counts is plain numbers, which
travel between processes and add up; prometheus_client is needed only where they are shown.
"""

from timeline.metrics.metrics import Metrics
from timeline.metrics.numbers import Spread, Standing, Tally, Told

__all__ = ["Metrics", "Spread", "Standing", "Tally", "Told"]
