"""Files of samples: Parquet, CSV and JSON lines, read as Arrow batches or as dicts."""

from timeline.consumers.samples.asked import Asked
from timeline.consumers.samples.files import Samples

__all__ = ["Asked", "Samples"]
