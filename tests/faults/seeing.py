"""What a consumer says of itself at /metrics: what tests wait for, and the proof that a fault was met."""

from __future__ import annotations

from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.servers.processes import free_port


class Numbers:
    """The numbers of one consumer, which is told by ``words`` where to show them."""

    def __init__(self) -> None:
        self._port = free_port()
        self.words = ("--metrics", str(self._port))

    def __getitem__(self, name: str) -> float:
        """The number of this name, summed over its labels; 0 where the consumer does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except (URLError, OSError):
            return 0.0
        families = text_string_to_metric_families(text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)
