"""The engine: the only place where definitions, driver and replay meet."""

from timeline.drivers.contract import Summary
from timeline.engine.counts import Counts
from timeline.engine.engine import BATCH, Engine, open

__all__ = ["BATCH", "Counts", "Engine", "Summary", "open"]
