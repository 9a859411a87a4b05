"""The definition language: YAML that says which messages and samples speak of which resources, and what they say."""

from timeline.definitions.collection import Definitions, Trial
from timeline.definitions.convention import resource_type
from timeline.definitions.definition import Definition
from timeline.definitions.samples import SampleRule, SampleRules

__all__ = ["Definition", "Definitions", "SampleRule", "SampleRules", "Trial", "resource_type"]
