"""How much each test of faults does: enough for every run, and for a night what TIMELINE_FAULTS multiplies it by."""

from __future__ import annotations

import os

VARIABLE = "TIMELINE_FAULTS"


def amount(ordinary: int) -> int:
    """So many in every run; as many times more as ``$TIMELINE_FAULTS`` says."""
    return ordinary * int(os.environ.get(VARIABLE) or 1)
