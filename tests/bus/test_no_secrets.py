"""The command beside a real broker: nothing that a message says and no password is in what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.bus.test_amqp import notification, opened, publish
from tests.cli.running import run_process
from tests.servers import place
from timeline.consumers.amqp import Amqp, Subscription

CANARY = "canary-7f3a"
SUBSCRIPTION = Subscription(exchanges=("nova",), queue="timeline.secrets")
ASKED = ("--exchange", "nova", "--queue", "timeline.secrets", "--until-empty")
FORMS = pytest.mark.parametrize("form", ["text", "json"])


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store that is ready."""
    url = f"sqlite:///{tmp_path}/timeline.db"
    assert run_process("init", "--store", url).code == 0
    return url


@FORMS
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_that_a_message_says_is_written(store: str, form: str, workers: int) -> None:
    with place("rabbitmq") as url:
        opened(Amqp(url, SUBSCRIPTION)).close()
        good = (notification(number, display_name=CANARY, memory_mb=f"{CANARY} MB") for number in range(20))
        timeless = json.dumps({"event_type": "compute.instance.update", "timestamp": CANARY, "payload": {}}).encode()
        publish(url, *good, timeless, f"{{{CANARY}".encode(), b"\xff" + CANARY.encode())
        ran = run_process("consume", url, "--store", store, *ASKED, "--workers", workers, "--log-format", form)
    assert ran.code == 3
    assert (ran.json["in_scope"], ran.json["quarantined"]) == (20, 3)
    assert "is left out where it cannot be read" in ran.err
    assert CANARY not in ran.out + ran.err
    if form == "json":
        assert {json.loads(line)["level"] for line in ran.sentences if line.startswith("{")} == {"info", "warning"}


@FORMS
@pytest.mark.parametrize("workers", [1, 2])
def test_a_password_that_the_broker_refuses_is_not_written(store: str, form: str, workers: int) -> None:
    with place("rabbitmq") as url:
        there = urlsplit(url)
        wrong = f"amqp://guest:{CANARY}@{there.hostname}:{there.port}{there.path}"
        asked = ("--store", store, *ASKED, "--workers", workers, "--log-format", form)
        ran = run_process("consume", *asked, TIMELINE_BUS=wrong)
    assert ran.code == 1
    assert "guest@" in ran.err
    assert CANARY not in ran.out + ran.err
    assert "Traceback" not in ran.err


@FORMS
@pytest.mark.parametrize("workers", [1, 2])
def test_a_password_of_a_store_that_is_not_there_is_not_written(form: str, workers: int) -> None:
    store = f"postgresql+psycopg://timeline:{CANARY}@127.0.0.1:1/timeline"
    asked = ("--store", store, *ASKED, "--workers", workers, "--log-format", form)
    ran = run_process("consume", f"amqp://guest:{CANARY}@127.0.0.1:1/", *asked)
    assert ran.code == 1
    assert ran.err
    assert CANARY not in ran.out + ran.err
    assert "Traceback" not in ran.err
