"""What a nova says."""

from __future__ import annotations

import json
from typing import Any


def notification(number: int, **payload: Any) -> bytes:
    """That the instance ``i-NUMBER`` is as it is, by the message ``m-NUMBER``."""
    said = {"instance_id": f"i-{number}", "tenant_id": "p", "memory_mb": 512, "state": "active", **payload}
    identity = {"message_id": f"m-{number}", "timestamp": "2026-03-01 12:00:00.000000"}
    return json.dumps({"event_type": "compute.instance.update", **identity, "payload": said}).encode()
