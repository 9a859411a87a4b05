"""Replay: pure functions from events to answers. Opens nothing, reads no clock."""

from timeline.replay.fold import Registers, replayed, segments, state
from timeline.replay.join.options import JoinCounts
from timeline.replay.timeline import Diff, Explanation, Timeline

__all__ = ["Diff", "Explanation", "JoinCounts", "Registers", "Timeline", "replayed", "segments", "state"]
