"""What is logged, in text and in JSON; and what never is: bodies of messages, credentials, words of foreign errors."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import timeline
from tests.bus.waiting import Waiting
from tests.cli.messages import DEFINITIONS, thing
from timeline import clock
from timeline.cli import credentials, logs
from timeline.consumers.amqp import Amqp
from timeline.errors import BusDenied, BusUnavailable, NotificationError, StoreError, StoreUnavailable, TimelineError
from timeline.metrics import Metrics
from timeline.metrics.exposition import text

OURS = logging.getLogger("timeline.engine.loop")
FOREIGN = logging.getLogger("kombu.connection")
CANARY = "canary-7f3a"
FORMS = pytest.mark.parametrize("form", ["text", "json"])


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What is written when something is logged."""

    def logged(form: logs.Form, log: Callable[[], object], **how: Any) -> str:
        with logs.written(form, **how):
            log()
        return capsys.readouterr().err

    return logged


def failing(error: BaseException, cause: BaseException | None = None) -> None:
    """Log an error that was raised, perhaps for a cause."""
    try:
        raise error from cause
    except type(error):
        OURS.exception("it failed")


def test_json_is_one_object_a_line_with_time_level_logger_and_message(said: Callable[..., str]) -> None:
    line = said("json", lambda: OURS.warning("all %d\nwere\x1b given back", 3))
    assert line.count("\n") == 1
    told = json.loads(line)
    assert clock.normalise(told["time"]) == told.pop("time")
    assert told == {"level": "warning", "logger": OURS.name, "message": "all 3\nwere\x1b given back"}


def test_text_is_one_line_that_no_terminal_takes_for_a_command(said: Callable[..., str]) -> None:
    assert said("text", lambda: OURS.info("one\ntwo \x1b[2J")) == "timeline: one\\ntwo \\x1b[2J\n"


def test_a_worker_is_named(said: Callable[..., str]) -> None:
    assert said("text", lambda: OURS.info("here"), worker=2) == "timeline[2]: here\n"
    assert json.loads(said("json", lambda: OURS.info("here"), worker=2))["worker"] == 2


def test_fields_given_as_extra_stand_beside_the_message(said: Callable[..., str]) -> None:
    extra = {"queue": "timeline", "held": 3, "pause": 0.5, "durable": True, "none": None, "level": "mine"}
    told = json.loads(said("json", lambda: OURS.info("here", extra=extra)))
    assert told.items() >= (extra | {"level": "info"}).items()


def test_what_is_no_value_of_json_is_told_as_far_as_it_may_be(said: Callable[..., str]) -> None:
    extra = {
        "body": CANARY.encode(),
        "far": float("inf"),
        "several": {"a": [CANARY.encode()]},
        "error": ValueError(CANARY),
    }
    line = said("json", lambda: OURS.info("here", extra=extra))
    told = json.loads(line)
    assert (told["body"], told["far"], told["several"]) == ("11 bytes", "inf", {"a": ["11 bytes"]})
    assert told["error"] == "ValueError"
    assert CANARY not in line


@FORMS
def test_an_error_of_ours_is_told_with_its_text_kind_and_place(said: Callable[..., str], form: logs.Form) -> None:
    line = said(form, lambda: failing(StoreUnavailable("the server does not answer"), OSError(111, "refused")))
    for expected in ("timeline.errors.StoreUnavailable", "the server does not answer", "ConnectionRefusedError"):
        assert expected in line
    assert f"{__name__}:" in line
    if form == "json":
        error, cause = json.loads(line)["errors"]
        assert error["places"][-1].startswith(f"{__name__}:")
        assert error["places"][-1].endswith(" failing")
        assert cause == {"type": "ConnectionRefusedError", "message": "refused", "places": []}


@FORMS
@pytest.mark.parametrize(
    "error",
    [
        ValueError(CANARY),
        KeyError(CANARY),
        NotificationError("no-time", CANARY),
        StoreError(f"the store says: {CANARY}"),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        ExceptionGroup(CANARY, [ValueError(CANARY)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_may_quote_a_message_is_told_by_kind_and_place_alone(
    said: Callable[..., str], form: logs.Form, error: Exception
) -> None:
    caused = said(form, lambda: failing(TimelineError("it failed"), error))
    direct = said(form, lambda: failing(error))
    quoted = said(form, lambda: OURS.warning("left out: %s and %r", error, error))
    for line in (caused, direct, quoted):
        assert type(error).__name__ in line
        assert CANARY not in line


def test_an_error_in_a_circle_of_causes_is_told_once(said: Callable[..., str]) -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    told = json.loads(said("json", lambda: OURS.error("here", exc_info=one)))
    assert [error["type"] for error in told["errors"]] == ["ValueError", "KeyError"]


@FORMS
def test_of_a_record_of_others_no_value_is_told(said: Callable[..., str], form: logs.Form) -> None:
    line = said(form, lambda: FOREIGN.error("Can't decode message body: %r", CANARY))
    assert "Can't decode message body: %r" in line
    assert CANARY not in line


@FORMS
def test_warnings_of_python_are_logged_too(said: Callable[..., str], form: logs.Form) -> None:
    def warn() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(False)
            logging.captureWarnings(True)
            warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert "DeprecationWarning: old" in said(form, warn)


@FORMS
def test_records_below_those_that_matter_are_not_written(said: Callable[..., str], form: logs.Form) -> None:
    assert said(form, lambda: (OURS.debug("here"), FOREIGN.info("there"))) == ""


@FORMS
@pytest.mark.parametrize(
    "url",
    [
        f"amqp://timeline:{CANARY}@broker.example.org:5672/nova",
        f"amqp://timeline:{CANARY}@one.example.org,timeline:{CANARY}@two.example.org/",
        f"postgresql+psycopg://timeline:a@{CANARY}:/{CANARY}@db.example.org/timeline",
        f"mongodb://db.example.org/timeline?password={CANARY}&tls=true",
        f"https://:{CANARY}@example.org",
    ],
)
def test_a_password_in_a_url_is_not_written(said: Callable[..., str], form: logs.Form, url: str) -> None:
    line = said(form, lambda: OURS.warning("%s does not answer", url))
    assert CANARY not in line
    assert "example.org" in line
    assert CANARY not in credentials.without_password(url)


@FORMS
@pytest.mark.parametrize("written", ["canary%2F7f3a", "canary/7f3a"])
def test_a_password_that_is_known_is_not_written_wherever_it_stands(
    said: Callable[..., str], form: logs.Form, written: str
) -> None:
    hidden = credentials.passwords("amqp://timeline:canary%2F7f3a@broker/", "sqlite:///timeline.db", None)
    line = said(form, lambda: OURS.warning("login of %s", written, extra={"tried": written}), passwords=hidden)
    assert written not in line
    assert "login of ***" in line


def test_a_password_that_is_a_short_word_leaves_texts_readable() -> None:
    assert credentials.passwords("amqp://guest:guest@broker/") == frozenset()


def test_a_url_without_credentials_is_shown_as_it_is() -> None:
    for url in ("sqlite:////var/lib/a:b@c.db", "memory:", "amqp://broker.example.org:5672/nova", "amqp://u@h/"):
        assert credentials.without_password(url) == url
        assert credentials.masked(f"{url} is ready") == f"{url} is ready"


@FORMS
def test_an_error_that_nobody_caught_is_logged_and_ends_the_program(
    capsys: pytest.CaptureFixture[str], form: logs.Form
) -> None:
    with pytest.raises(SystemExit) as ended, logs.written(form):
        raise LookupError(CANARY)
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "LookupError" in said
    assert CANARY not in said


@FORMS
def test_an_error_in_a_thread_is_logged_in_the_same_form(said: Callable[..., str], form: logs.Form) -> None:
    def fail() -> None:
        raise LookupError(CANARY)

    def run() -> None:
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    hook = threading.excepthook
    line = said(form, run)
    assert "LookupError" in line
    assert CANARY not in line
    assert "Traceback" not in line
    assert threading.excepthook is hook


@pytest.mark.parametrize(
    "error", [BusDenied("no"), click.UsageError("no"), BrokenPipeError(), click.exceptions.Exit(3)]
)
def test_what_the_program_says_in_its_own_words_is_left_to_it(error: Exception, said: Callable[..., str]) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        said("json", fail)


def test_afterwards_logging_is_as_it_was_before(said: Callable[..., str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, logging.getLogger("timeline").level
    said("json", lambda: None)
    assert (root.handlers, root.level, sys.excepthook, logging.getLogger("timeline").level) == before


@FORMS
def test_nothing_that_a_message_says_is_in_logs_or_metrics(
    capsys: pytest.CaptureFixture[str], form: logs.Form, tmp_path: Path
) -> None:
    definitions = tmp_path / "things.yaml"
    definitions.write_text(DEFINITIONS)
    body = {"name": CANARY, "size": f"{CANARY} is no number", "tags": {CANARY: CANARY}}
    good = [thing("create", "12:00", f"{CANARY}-{number}", **body) for number in range(3)]  # type: ignore[arg-type]
    timeless, unnamed = thing("create", None, **body), thing("create", "12:00", None, **body)
    odd = thing("create", f"12:{CANARY}", **body)
    foreign = {"event_type": f"{CANARY}.update", "timestamp": "2026-03-01 12:00:00", "payload": body}
    messages = [json.dumps(each).encode() for each in (*good, timeless, unnamed, odd, foreign)]
    messages += [f"{{{CANARY}".encode(), b"\xff" + CANARY.encode(), f'{{"__type__": "{CANARY}"}}'.encode()]
    messages.append(b"[" * 100_000 + CANARY.encode())
    metrics = Metrics()
    with timeline.open("memory:", definitions=str(definitions)) as engine, logs.written(form):
        counts = engine.consume(Waiting(messages), until_empty=True, metrics=metrics)
    said = capsys.readouterr().err
    assert counts.notifications == len(messages)
    assert counts.quarantined > 4
    assert counts.unreadable_fields >= 3
    assert "is left out where it cannot be read" in said
    assert CANARY not in said
    assert CANARY.encode() not in text([metrics.told()])


@FORMS
def test_no_password_of_the_bus_is_in_logs_or_in_the_error(
    capsys: pytest.CaptureFixture[str], form: logs.Form, unused_port: int
) -> None:
    url = f"amqp://timeline:{CANARY}@127.0.0.1:{unused_port}/nova"
    with pytest.raises(BusUnavailable) as refused, logs.written(form):  # noqa: PT012 - logged, then raised
        try:
            Amqp(url).take(1, 1 << 20, 0.0)
        except BusUnavailable:
            OURS.exception("it failed")
            raise
    assert CANARY not in capsys.readouterr().err
    assert CANARY not in str(refused.value)


@FORMS
def test_no_password_of_the_store_is_in_logs_or_in_the_error(
    capsys: pytest.CaptureFixture[str], form: logs.Form, unused_port: int
) -> None:
    url = f"postgresql+psycopg://timeline:{CANARY}@127.0.0.1:{unused_port}/timeline"
    with pytest.raises(StoreUnavailable) as refused, logs.written(form), timeline.open(url) as engine:  # noqa: PT012
        try:
            engine.driver.version()
        except StoreUnavailable:
            OURS.exception("it failed")
            raise
    assert CANARY not in capsys.readouterr().err
    assert CANARY not in str(refused.value)


@pytest.fixture
def unused_port() -> int:
    """A port of this machine on which nobody listens."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
