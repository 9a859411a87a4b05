"""The engine: the only place where definitions, driver and replay meet."""

from timeline.drivers.contract import Summary
from timeline.engine.engine import Engine, open
from timeline.engine.ingest import BATCH, Counts

__all__ = ["BATCH", "Counts", "Engine", "Summary", "open"]
