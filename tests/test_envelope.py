"""Bytes to notification: what can be read is read unharmed, and the rest is refused with its reason."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeline import envelope
from timeline.errors import NotificationError
from timeline.model import Notification, limits

FLAT = {
    "message_id": "4b884c03-756d-4c06-8b42-80b6def9d302",
    "timestamp": "2012-05-08 20:23:48.028195",
    "event_type": "compute.instance.create.end",
    "publisher_id": "compute.node-1",
    "priority": "INFO",
    "_context_tenant": "blue",
    "payload": {"instance_id": "9f9d01b9-4a58-4271-9e27-398b21ab20d1", "state": "active"},
}
ENDPOINT = {
    "metadata": {"message_id": FLAT["message_id"], "timestamp": FLAT["timestamp"]},
    "ctxt": {"tenant": "blue"},
    **{name: FLAT[name] for name in ("event_type", "publisher_id", "priority", "payload")},
}
SHAPES = {
    "bare": lambda message: message,
    "in an envelope": lambda message: {"oslo.version": "2.0", "oslo.message": json.dumps(message)},
    "in an envelope, unencoded": lambda message: {"oslo.version": "2.0", "oslo.message": message},
    "encoded twice": json.dumps,
    "encoded twice, in an envelope": lambda message: json.dumps(
        {"oslo.version": "2", "oslo.message": json.dumps(message)}
    ),
}


def read(message: Any) -> Notification:
    return envelope.read(json.dumps(message).encode())


def refusal(data: bytes) -> NotificationError:
    with pytest.raises(NotificationError) as refused:
        envelope.read(data)
    return refused.value


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    """A message with so many levels, and more brackets: itself is the first level, its payload the others."""
    inner = opening * (levels - 1) + "1" + closing * (levels - 1)
    return f'{{"event_type":"a.b","beside":[[],[]],"payload":{inner}}}'.encode()


# What is read


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("message", [FLAT, ENDPOINT], ids=["flat", "endpoint"])
def test_a_message_is_the_same_in_every_shape_and_view(message: dict[str, Any], shape: str) -> None:
    notification = read(SHAPES[shape](message))
    assert notification == Notification(
        "compute.instance.create.end",
        "4b884c03-756d-4c06-8b42-80b6def9d302",
        "2012-05-08 20:23:48.028195",
        FLAT["payload"],
        message,
    )


@pytest.mark.parametrize(
    ("message", "message_id", "timestamp"),
    [
        ({}, None, None),
        ({"message_id": "m", "metadata": {"message_id": "n", "timestamp": "t"}}, "m", "t"),
        ({"message_id": None, "timestamp": None, "metadata": {"message_id": "n", "timestamp": "t"}}, "n", "t"),
        ({"metadata": None}, None, None),
        ({"metadata": ["message_id"]}, None, None),
        ({"message_id": ""}, "", None),
        ({"message_id": 7, "timestamp": 1336508628}, "7", 1336508628),
        ({"message_id": 10**100}, str(10**100), None),
        ({"message_id": True}, None, None),
        ({"message_id": 1.5}, None, None),
        ({"message_id": ["m"], "timestamp": ["t"]}, None, ["t"]),
    ],
)
def test_identity_and_time_are_taken_from_wherever_they_are_told(message: Any, message_id: Any, timestamp: Any) -> None:
    notification = read({"event_type": "a.b", **message})
    assert (notification.message_id, notification.timestamp) == (message_id, timestamp)


@pytest.mark.parametrize("payload", [None, "text", [], [{}], 5, 1.5, True, {}])
def test_a_payload_of_any_kind_is_read(payload: Any) -> None:
    assert read({"event_type": "a.b", "payload": payload}).payload == payload
    assert read({"event_type": "a.b"}).payload is None


@pytest.mark.parametrize(
    "value",
    [
        # kombu's own decoder makes something of the first three, or fails
        {"__type__": "nope", "__value__": "x"},
        {"__type__": "decimal", "__value__": "1.5"},
        {"$date": "oops", "$oid": 5},
        {"": "", "a.b": 1, "$x": 2, "\U0001f600": 3, "a\x00b": 4, "oslo.message": 5},
        ["\x00", "\x00\x00", "\u2028", "\ufeff", "\ufffe", "e\u0301", "\U0010ffff"],
        [2**63 - 1, 2**63, -(2**63) - 1, 10**400, -(10**4_000)],
        [0.1, 1e300, 5e-324, -0.0],
        ["", "None", None],
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_keys_come_unharmed(value: Any, shape: str) -> None:
    notification = read(SHAPES[shape]({**FLAT, "payload": {"value": value}}))
    assert json.dumps(notification.payload["value"]) == json.dumps(value)


def test_of_a_doubled_key_the_last_value_stands() -> None:
    data = b'{"event_type":"a.b","event_type":"c.d","payload":{"x":1,"x":{"y":1},"x":2}}'
    notification = envelope.read(data)
    assert (notification.event_type, notification.payload) == ("c.d", {"x": 2})


def test_white_space_around_a_message_does_not_matter() -> None:
    assert envelope.read(b' \t\r\n{"event_type" : "a.b"}\r\n').event_type == "a.b"


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_a_message_may_be_nested_as_deep_as_the_limit_and_no_deeper(brackets: tuple[str, str]) -> None:
    assert limits.NESTING == 64
    assert envelope.read(nested(64, *brackets)).event_type == "a.b"
    for levels in (65, 66, 500, 5_000, 100_000):
        assert refusal(nested(levels, *brackets)).reason == "too-deep"


def test_brackets_within_texts_and_beside_each_other_are_no_nesting() -> None:
    payload = {"text": "[{" * 100_000, "many": [[]] * 1_000}
    assert read({"event_type": "a.b", "payload": payload}).payload == payload


@pytest.mark.parametrize("depth", [65, 100_000])
def test_a_message_within_a_text_is_held_to_the_same_depth(depth: int) -> None:
    inner = nested(depth).decode()
    assert refusal(json.dumps(inner).encode()).reason == "too-deep"
    assert refusal(json.dumps({"oslo.version": "2.0", "oslo.message": inner}).encode()).reason == "too-deep"


@pytest.mark.parametrize("text", ["a" * 512, "\u00e9" * 256, "\U0001f600" * 128])
def test_names_are_as_long_as_the_limit_in_bytes_and_no_longer(text: str) -> None:
    assert len(text.encode()) == limits.ID_BYTES
    notification = read({"event_type": text, "message_id": text})
    assert (notification.event_type, notification.message_id) == (text, text)
    assert refusal(json.dumps({"event_type": text + "a"}).encode()).reason == "event-type-too-long"
    long = {"event_type": "a.b", "metadata": {"message_id": text + "a"}}
    assert refusal(json.dumps(long).encode()).reason == "message-id-too-long"


def test_a_message_id_of_too_many_digits_is_too_long() -> None:
    assert refusal(b'{"event_type":"a.b","message_id":%s}' % (b"9" * 513)).reason == "message-id-too-long"


# What is refused


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not-json"),
        (b" ", "not-json"),
        (b"{", "not-json"),
        (b'{"event_type":"a.b"', "not-json"),
        (b'{"event_type":"a.b"}}', "not-json"),
        (b'{"event_type":"a.b"}{}', "not-json"),
        (b"{'event_type':'a.b'}", "not-json"),
        (b'{"event_type":"a.b",}', "not-json"),
        (b'\xef\xbb\xbf{"event_type":"a.b"}', "not-json"),
        (b"\x00", "not-json"),
        (b'{"event_type":"a\x00b"}', "not-json"),
        (b"\x80\x04}\x94.", "not-utf8"),
        (b'{"event_type":"\xff"}', "not-utf8"),
        (b'{"event_type":"a.b","payload":{"\xc3":1}}', "not-utf8"),
        (b'{"event_type":"a.b","payload":"\xed\xa0\x80"}', "not-utf8"),
        (b'{"event_type":"a.b","payload":"\xc0\x80"}', "not-utf8"),
        (json.dumps(FLAT).encode("utf-16"), "not-utf8"),
        (b'{"event_type":"a.b","payload":NaN}', "not-json"),
        (b'{"event_type":"a.b","payload":-Infinity}', "not-json"),
        (b'{"event_type":"a.b","payload":[1e400]}', "number-too-large"),
        (b'{"event_type":"a.b","payload":-1e999}', "number-too-large"),
        (b'{"event_type":"a.b","payload":"\\ud800"}', "not-json"),
        (b'{"event_type":"a.b","payload":{"\\udc00":1}}', "not-json"),
        (b'{"event_type":"a.b","payload":01}', "not-json"),
        # the last thing that Python makes no int of without being told to: see sys.set_int_max_str_digits
        (b'{"event_type":"a.b","payload":%s}' % (b"9" * 4_301), "number-too-large"),
        (b"null", "not-a-notification"),
        (b"true", "not-a-notification"),
        (b"5", "not-a-notification"),
        (b'[{"event_type":"a.b"}]', "not-a-notification"),
        (b'"5"', "not-a-notification"),
        (b'"\\"{}\\""', "not-a-notification"),
        (b'""', "not-json"),
        (b'"event_type"', "not-json"),
        (b"{}", "no-event-type"),
        (b'{"event_type":null}', "no-event-type"),
        (b'{"event_type":""}', "no-event-type"),
        (b'{"event_type":5}', "no-event-type"),
        (b'{"event_type":["a.b"]}', "no-event-type"),
        (b'{"Event_Type":"a.b"}', "no-event-type"),
    ],
)
def test_what_is_no_notification_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    error = refusal(data)
    assert error.reason == reason
    assert str(error) == error.detail
    assert len(error.detail) < 200
    assert "\n" not in error.detail


@pytest.mark.parametrize(
    "wrapped",
    [
        {"oslo.version": "1.0", "oslo.message": "{}"},
        {"oslo.version": "2.1", "oslo.message": "{}"},
        {"oslo.version": "3.0", "oslo.message": "{}"},
        {"oslo.version": "20", "oslo.message": "{}"},
        {"oslo.version": 2.0, "oslo.message": "{}"},
        {"oslo.version": None, "oslo.message": "{}"},
        {"oslo.version": "x" * 1_000, "oslo.message": "{}"},
        {"oslo.message": "{}"},
        {"oslo.version": "2.0"},
        {"oslo.version": "2.0", "oslo.message": None},
        {"oslo.version": "2.0", "oslo.message": [FLAT]},
        {"oslo.version": "2.0", "event_type": "a.b"},
    ],
)
def test_an_envelope_that_nobody_knows_is_refused_and_not_guessed_at(wrapped: dict[str, Any]) -> None:
    error = refusal(json.dumps(wrapped).encode())
    assert error.reason == "unknown-envelope"
    assert len(error.detail) < 100


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ("", "not-json"),
        ("{", "not-json"),
        ("[]", "not-a-notification"),
        ('"{}"', "not-a-notification"),
        ("{}", "no-event-type"),
    ],
)
def test_what_an_envelope_holds_is_refused_like_a_bare_message(inner: str, reason: str) -> None:
    assert refusal(json.dumps({"oslo.version": "2.0", "oslo.message": inner}).encode()).reason == reason


REASONS = {
    "not-utf8",
    "not-json",
    "too-deep",
    "not-a-notification",
    "unknown-envelope",
    "no-event-type",
    "event-type-too-long",
    "message-id-too-long",
}
VALID = [json.dumps(SHAPES[shape](message)).encode() for shape in SHAPES for message in (FLAT, ENDPOINT)]
CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(min_size=1, max_size=4)), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    ["event_type", "message_id", "timestamp", "metadata", "ctxt", "payload", "oslo.version", "oslo.message"]
)


def changed(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, cut, put in changes:
        at = place % (len(data) + 1)
        data = data[:at] + put + data[at + cut :]
    return data


@settings(deadline=None)
@given(
    st.binary()
    | st.builds(changed, st.sampled_from(VALID), CHANGES)
    | st.dictionaries(MEMBERS, JSON).map(lambda message: json.dumps(message).encode())
)
@example(b'"\\ud83d"')
def test_any_bytes_are_a_notification_or_refused_with_a_known_reason(data: bytes) -> None:
    reason = None
    try:
        notification = envelope.read(data)
    except NotificationError as error:
        reason = error.reason
    if reason is not None:
        assert reason in REASONS
        return
    assert notification.event_type == notification.message["event_type"]
    assert notification.message_id is None or len(notification.message_id.encode()) <= limits.ID_BYTES


# Where it is wrong

TYPE = b'{"event_type":"a.b",'
LONG = b'"' + b"x" * 60 + b'"'


@pytest.mark.parametrize(
    ("data", "place", "around"),
    [
        (b"", "byte 0", ">>>"),
        (b"plain", "byte 0", ">>>plain"),
        (TYPE + b'"x":tru}', "byte 28", '{"event_type":"a.b","x":tru}>>>'),
        (TYPE + b'"x":' + LONG + b" y," + LONG + b"}", "byte 87", f'...{"x" * 38}" >>>y,"{"x" * 37}...'),
        (TYPE + b'"x":"\xff"}', "byte 25", '{"event_type":"a.b","x":">>>\\xff"}'),
        ('{"é":"é" é}'.encode(), "byte 11", '{"é":"é" >>>é}'),
        (b'{"a":"' + "é".encode() * 40 + b'" x}', "byte 88", f'...{"é" * 19}" >>>x}}'),
        (b'{"a":[1,"1e999",2e400,"2e400"]}', "byte 16", '{"a":[1,"1e999",>>>2e400,"2e400"]}'),
        (b'{"a":-' + b"9" * 4_301 + b"}", "byte 5", f'{{"a":>>>-{"9" * 39}...'),
        (b'{"a":"\\"[[",' + b'"b":' + b"[" * 64 + b"]" * 64 + b"}", "byte 79", f"...{'[' * 40}>>>[{']' * 39}..."),
        (b"[" * 100_000, "byte 64", f"...{'[' * 40}>>>{'[' * 40}..."),
        (json.dumps('{"a": x}').encode(), "the text within, byte 6", '{"a": >>>x}'),
        (b'{"oslo.version":"2.0","oslo.message":"{\\"a\\": x}"}', "oslo.message, byte 6", '{"a": >>>x}'),
        (b'{"oslo.version":"1.0","oslo.message":"{}"}', "oslo.version", None),
        (b'{"oslo.version":"2.0","oslo.message":5}', "oslo.message", None),
        (b"{}", "event_type", None),
        (b'{"event_type":"' + b"x" * 513 + b'"}', "event_type", None),
        (TYPE + b'"message_id":"' + b"x" * 513 + b'"}', "message_id", None),
        (TYPE + b'"metadata":{"message_id":"' + b"x" * 513 + b'"}}', "metadata.message_id", None),
        (b"5", None, None),
    ],
)
def test_a_refusal_tells_the_place_and_what_stands_around_a_byte(
    data: bytes, place: str | None, around: str | None
) -> None:
    error = refusal(data)
    assert error.place == place
    assert envelope.fault(data, error.reason) == (place, around)


def test_what_can_be_read_or_cannot_for_another_reason_has_no_fault() -> None:
    assert envelope.fault(b'{"event_type":"a.b"}', "not-json") is None
    assert envelope.fault(b"plain", "no-event-type") is None
    assert envelope.fault(b"{}", "not-json") is None


def test_a_number_that_is_too_large_is_found_behind_a_million_others() -> None:
    numbers = b"[" + b"1," * 1_000_000 + b"1e999]"
    assert refusal(numbers).place == "byte 2,000,001"
