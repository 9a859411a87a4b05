"""The words of the field: resources, events, states, segments, and the order and limits that all floors share."""

from timeline.model import limits
from timeline.model.canonical import Json, canonical, has_float
from timeline.model.event import Body, Event, Resource, Scope, order
from timeline.model.notification import Message, Notification
from timeline.model.phase import GENESIS, LIFE_BOUNDS, Phase, default_phase
from timeline.model.quarantine import Outcome, Quarantined
from timeline.model.state import Birth, Existence, Segment, State

__all__ = [
    "GENESIS",
    "LIFE_BOUNDS",
    "Birth",
    "Body",
    "Event",
    "Existence",
    "Json",
    "Message",
    "Notification",
    "Outcome",
    "Phase",
    "Quarantined",
    "Resource",
    "Scope",
    "Segment",
    "State",
    "canonical",
    "default_phase",
    "has_float",
    "limits",
    "order",
]
