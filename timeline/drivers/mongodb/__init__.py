"""Stores on MongoDB, and on servers that speak its protocol.

Collections are only added to, by inserts that leave alone what is there, so that neither transactions nor sessions are
needed. What is asked are finds: by ``_id``, by a range of it, in its order. All else is done here.
"""

from __future__ import annotations

from timeline.drivers.mongodb.driver import open

__all__ = ["open"]
