"""The definition language: YAML that says which notifications speak of which resources, and what they say."""

from timeline.definitions.collection import Definitions, Trial
from timeline.definitions.convention import resource_type
from timeline.definitions.definition import Definition

__all__ = ["Definition", "Definitions", "Trial", "resource_type"]
