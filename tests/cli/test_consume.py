"""``timeline consume``: what it prints, its exit codes, and what it refuses before anything is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.messages import thing
from tests.cli.running import run, run_process
from tests.faults.publishing import Publisher, waiting
from tests.servers import place

NOVA = ("--exchange", "nova", "--topic", "notifications", "--exchanges-durable")
MESSAGES = [thing("create", "10:00"), thing("update", "11:00", size=2)]


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with place("rabbitmq") as url:
        yield url


@pytest.fixture
def bus(broker: str) -> str:
    """A broker on which nothing is left of the test before."""
    run("consume", broker, *NOVA, "--until-empty", "--store", "memory:")
    return broker


def publish(url: str, *messages: dict[str, Any] | bytes) -> None:
    publisher = Publisher(url)
    publisher.publish(each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages)
    publisher.close()


def test_until_empty_it_prints_what_ingest_prints_and_the_queue_is_empty(bus: str, store: Path) -> None:
    publish(bus, *MESSAGES, MESSAGES[0])
    ran = run("consume", bus, *NOVA, "--until-empty")
    assert ran.code == 0
    assert ran.json == {
        "notifications": 3,
        "in_scope": 3,
        "out_of_scope": 0,
        "quarantined": 0,
        "events": 2,
        "bodies": 2,
        "duplicates": 1,
        "unreadable_fields": 0,
    }
    assert waiting(bus) == 0
    assert run("show", "thing/t1", "--at", "2026-03-01T11:00").json["fields"]["size"] == 2


def test_what_cannot_be_read_is_quarantined_under_the_route_by_which_it_came(bus: str, store: Path) -> None:
    publish(bus, MESSAGES[0], b"{")
    ran = run("consume", bus, *NOVA, "--until-empty")
    assert (ran.code, ran.json["in_scope"], ran.json["quarantined"]) == (3, 1, 1)
    (record,) = run("quarantine", "list").lines
    assert (record["reason"], record["origin"]) == ("not-json", "nova/notifications.info")


def test_several_workers_do_what_one_does(bus: str, store: Path) -> None:
    many = [thing("update", f"10:{minute:02}", size=minute) for minute in range(60)]
    publish(bus, *many)
    ran = run_process("consume", bus, *NOVA, "--until-empty", "--workers", "2", "--batch", "5", "--prefetch", "10")
    assert (ran.code, ran.json["notifications"], ran.json["events"]) == (0, 60, 60)


def test_the_bus_may_stand_in_the_environment(bus: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMELINE_BUS", bus)
    assert run("consume", *NOVA, "--until-empty").code == 0


def test_where_there_is_no_store_it_is_said_before_anything_is_taken(bus: str, folder: Path) -> None:
    publish(bus, *MESSAGES)
    ran = run("consume", bus, *NOVA, "--until-empty")
    assert ran.code == 1
    assert "timeline init" in ran.sentences[-1]
    assert waiting(bus) == 2


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("http://guest:s3cret-word@h/", 2, "this is no URL of a bus"),
        ("amqp://guest:s3cret-word@127.0.0.1:1/", 1, "127.0.0.1:1//: Connection refused"),
        ("amqp://guest:s3cret-word@host.invalid/", 1, "this host cannot be found"),
    ],
)
def test_a_bus_that_cannot_be_used_is_told_in_a_sentence_without_its_password(
    store: Path, url: str, code: int, said: str
) -> None:
    ran = run("consume", url, "--until-empty")
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.sentences[-1]
    assert "s3cret-word" not in ran.err


@pytest.mark.parametrize(
    "words",
    [["--prefetch", "0"], ["--batch", "0"], ["--workers", "0"], ["--metrics", "x:y"], ["--queue-type", "x"], []],
)
def test_wrong_usage_is_told_before_anything_is_done(store: Path, words: list[str]) -> None:
    assert run("consume", *(["amqp://127.0.0.1:1/"] if words else []), *words).code == 2


def test_a_queue_that_has_to_be_there_and_is_not_is_told(bus: str, store: Path) -> None:
    ran = run("consume", bus, "--passive", "--queue", "nobody-made-it", "--until-empty")
    assert ran.code == 1
    assert "no queue 'nobody-made-it'" in ran.sentences[-1]
