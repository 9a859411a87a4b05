"""The three addresses over HTTP: what they answer, when, and that nothing else is served."""

from __future__ import annotations

import http.client
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from time import monotonic

import pytest

from timeline.errors import TimelineError
from timeline.metrics import Metrics, Standing, Tally, Told
from timeline.metrics.exposition import CONTENT_TYPE
from timeline.metrics.health import STUCK_AFTER
from timeline.metrics.serving import Serving


class Watched:
    """What is told, to be changed while it is served."""

    def __init__(self) -> None:
        self.told: Callable[[], Sequence[Told]] = lambda: [standing()]

    def __call__(self) -> Sequence[Told]:
        return self.told()


def standing(**changed: object) -> Told:
    """A worker that is well, but for what is said otherwise."""
    return Told(Tally(), Standing(**({"connected": True, "store_available": True} | changed)))  # type: ignore[arg-type]


@pytest.fixture
def watched() -> Watched:
    """One worker that is well, until a test says otherwise."""
    return Watched()


@pytest.fixture
def serving(watched: Watched) -> Iterator[Serving]:
    """Served on a free port of this machine."""
    with Serving("127.0.0.1", 0, watched) as serving:
        yield serving


def ask(serving: Serving, path: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    """The status, the text and the headers of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), {name.lower(): said for name, said in answer.getheaders()}
    finally:
        connection.close()


def say(serving: Serving, request: bytes) -> bytes:
    """All that comes back for bytes that may be no request at all."""
    with socket.create_connection(("127.0.0.1", serving.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_metrics_are_given_as_prometheus_reads_them(serving: Serving, watched: Watched) -> None:
    metrics = Metrics()
    watched.told = lambda: [metrics.told()]
    metrics.received(7, 0)
    status, text, headers = ask(serving, "/metrics")
    assert (status, headers["content-type"]) == (200, CONTENT_TYPE)
    assert "\ntimeline_messages_read_total 7.0\n" in text
    metrics.received(1, 1)
    assert "\ntimeline_messages_read_total 8.0\n" in ask(serving, "/metrics?any=thing")[1]


def test_a_process_whose_loop_turns_is_well_and_one_that_is_subscribed_is_ready(serving: Serving) -> None:
    assert ask(serving, "/healthz")[:2] == (200, "ok\n")
    assert ask(serving, "/readyz")[:2] == (200, "ok\n")


def test_a_process_that_has_just_begun_is_well_and_not_ready(serving: Serving, watched: Watched) -> None:
    metrics = Metrics()
    watched.told = lambda: [metrics.told()]
    assert ask(serving, "/healthz")[0] == 200
    assert ask(serving, "/readyz")[:2] == (503, "not subscribed to the bus\n")
    metrics.connected(True)
    assert ask(serving, "/readyz")[:2] == (503, "the store has not answered\n")
    metrics.store_available(True)
    assert ask(serving, "/readyz")[0] == 200


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"connected": False}, "not subscribed to the bus\n"),
        ({"store_available": False}, "the store has not answered\n"),
        ({"alive": False}, "the process does not run\n"),
    ],
)
def test_what_keeps_messages_from_being_stored_is_not_ready_and_yet_alive(
    serving: Serving, watched: Watched, changed: dict[str, object], reason: str
) -> None:
    watched.told = lambda: [standing(**changed)]
    assert ask(serving, "/readyz")[:2] == (503, reason)
    assert ask(serving, "/healthz")[0] == 200


def test_a_loop_that_has_not_turned_for_long_is_stuck(serving: Serving, watched: Watched) -> None:
    watched.told = lambda: [standing(turned=monotonic() - STUCK_AFTER - 15)]
    status, text, _ = ask(serving, "/healthz")
    assert (status, text) == (503, "the run loop has not turned for 75 s\n")


def test_how_long_is_too_long_may_be_said(watched: Watched) -> None:
    watched.told = lambda: [standing(turned=monotonic() - 5)]
    with Serving("127.0.0.1", 0, watched, stuck_after=3) as serving:
        assert ask(serving, "/healthz")[0] == 503


def test_of_several_workers_each_that_is_not_well_is_named(serving: Serving, watched: Watched) -> None:
    long_ago = monotonic() - 90
    watched.told = lambda: [standing(), standing(turned=long_ago), standing(alive=False, turned=long_ago)]
    assert ask(serving, "/healthz")[:2] == (503, "worker 2: the run loop has not turned for 90 s\n")
    watched.told = lambda: [standing(connected=False), standing(), standing(alive=False)]
    expected = "worker 1: not subscribed to the bus\nworker 3: the process does not run\n"
    assert ask(serving, "/readyz")[:2] == (503, expected)


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metric", "/../etc/passwd", "/debug"])
def test_nothing_else_is_served(serving: Serving, path: str) -> None:
    assert ask(serving, path)[:2] == (404, "/metrics, /healthz and /readyz are served here\n")


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/nothing"])
def test_head_answers_with_the_headers_of_get_alone(serving: Serving, path: str) -> None:
    status, text, headers = ask(serving, path, "HEAD")
    assert (status, text) == (ask(serving, path)[0], "")
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "WHATEVER"])
def test_what_is_neither_get_nor_head_is_refused(serving: Serving, method: str) -> None:
    status, text, headers = ask(serving, "/metrics", method)
    assert (status, text, headers["allow"]) == (405, "GET and HEAD are answered here\n", "GET, HEAD")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n",
        b"nonsense <script>\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    ],
)
def test_what_is_no_request_is_not_said_again(serving: Serving, request_bytes: bytes) -> None:
    answer = say(serving, request_bytes)
    assert b"script" not in answer
    assert b"aaaa" not in answer
    assert ask(serving, "/healthz")[0] == 200


def test_no_answer_tells_what_program_or_version_gave_it(serving: Serving) -> None:
    answers = [
        say(serving, f"{method} {path} HTTP/1.1\r\n\r\n".encode())
        for method in ("GET", "HEAD", "POST")
        for path in ("/metrics", "/healthz", "/nothing")
    ]
    answers.append(say(serving, b"nonsense\r\n\r\n"))
    for answer in answers:
        assert b"server:" not in answer.lower()
        assert b"python" not in answer.lower()


def test_a_question_that_cannot_be_answered_is_logged_and_the_next_one_is(
    serving: Serving, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Sequence[Told]:
        raise LookupError("nothing to tell")

    watched.told = fail
    with caplog.at_level(logging.ERROR):
        assert say(serving, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [LookupError]
    watched.told = lambda: [standing()]
    assert ask(serving, "/healthz")[0] == 200


def test_an_address_in_use_is_said_in_a_sentence(serving: Serving, watched: Watched) -> None:
    with pytest.raises(TimelineError, match=f"metrics cannot be served at 127.0.0.1:{serving.port}: .*in use"):
        Serving("127.0.0.1", serving.port, watched)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0), ("a" * 64, 0)])
def test_an_address_that_is_none_of_ours_is_said_in_a_sentence(watched: Watched, host: str, port: int) -> None:
    with pytest.raises(TimelineError, match="metrics cannot be served at"):
        Serving(host, port, watched)


def test_an_address_of_version_six_is_written_in_brackets(watched: Watched) -> None:
    try:
        serving = Serving("::1", 0, watched)
    except TimelineError:
        pytest.skip("this machine has no address of version 6")
    with serving:
        assert serving.url == f"http://[::1]:{serving.port}"


def test_once_closed_the_address_is_free_again(watched: Watched) -> None:
    with Serving("127.0.0.1", 0, watched) as first:
        ask(first, "/healthz")
    with Serving("127.0.0.1", first.port, watched) as second:
        assert second.port == first.port
        assert ask(second, "/healthz")[0] == 200


def test_who_asks_and_says_nothing_keeps_nobody_else_waiting(serving: Serving) -> None:
    silent = [socket.create_connection(("127.0.0.1", serving.port)) for _ in range(20)]
    try:
        assert ask(serving, "/healthz")[0] == 200
    finally:
        for connection in silent:
            connection.close()
