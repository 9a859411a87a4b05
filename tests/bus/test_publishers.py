"""Notifications of a real publisher: oslo.messaging, by which the services of OpenStack publish."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import timeline
from tests.cli.running import run
from tests.servers import place

# In a process of its own: oslo.messaging has threads and settings of its own, and warns of what is its own.
PUBLISHER = """
import sys
from oslo_config import cfg
import oslo_messaging

url, driver, topics = sys.argv[1:]
configuration = cfg.ConfigOpts()
configuration([])
oslo_messaging.set_transport_defaults("nova")
transport = oslo_messaging.get_notification_transport(configuration, url=url)
notifier = oslo_messaging.Notifier(
    transport, "compute.host-1", driver=driver, topics=topics.split(","), retry=3
)
context = {"user_id": "u", "project_id": "p", "auth_token": "canary-of-a-token"}
instance = {"instance_id": "i-1", "tenant_id": "p", "user_id": "u", "memory_mb": 512, "state": "building"}
notifier.info(context, "compute.instance.create.start", instance)
notifier.info(context, "compute.instance.create.end", {**instance, "state": "active"})
notifier.error(context, "compute.instance.resize.error", {**instance, "memory_mb": 1024, "state": "error"})
metadata = {"__type__": "x", "__value__": "y"}
notifier.warn(context, "compute.instance.update", {**instance, "state": "stopped", "metadata": metadata})
transport.cleanup()
"""


@pytest.mark.parametrize("topics", ["notifications", "notifications,versioned_notifications"])
@pytest.mark.parametrize("driver", ["messaging", "messagingv2"])
def test_what_oslo_messaging_publishes_is_consumed_end_to_end(driver: str, topics: str, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/timeline.db"
    with timeline.open(store) as engine:
        engine.prepare()
    with place("rabbitmq") as bus:
        consume = ("consume", bus, "--store", store, "--exchange", "nova", "--until-empty")
        assert run(*consume).code == 0  # now the queue is there, and the exchange, as the publisher would make it
        published = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PUBLISHER, bus.replace("amqp://", "rabbit://"), driver, topics],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert published.returncode == 0, published.stderr
        counts = run(*consume).json
    times = len(topics.split(","))
    assert (counts["notifications"], counts["in_scope"], counts["quarantined"]) == (4 * times, 4 * times, 0)
    assert (counts["events"], counts["duplicates"]) == (4, 4 * (times - 1)), "the same message by each topic"
    with timeline.open(store) as engine:
        history = engine.timeline("instance", "i-1")
        states = [segment.fields.get("state") for segment in history.segments]
        assert states == ["building", "active", "error", "stopped"]
        assert history.segments[-1].fields["metadata"] == {"__type__": "x", "__value__": "y"}
        assert {event.event_type for event in engine.events()} == {
            "compute.instance.create.start",
            "compute.instance.create.end",
            "compute.instance.resize.error",
            "compute.instance.update",
        }
    assert b"canary" not in Path(tmp_path, "timeline.db").read_bytes()
