"""What is beyond the limits of the model is refused, and never cut, rounded or folded."""

from __future__ import annotations

from msgspec.structs import replace

from timeline import clock
from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.store import OnAStore
from timeline.errors import StoreError
from timeline.model import Body, Event, Resource, Scope, limits


class Limiting(OnAStore):
    """The limits, from both sides. :func:`timeline.drivers.limits.within_limits` holds them for a driver."""

    def test_an_event_beyond_the_limits_is_refused_with_all_that_came_with_it(self) -> None:
        with self.driver() as driver:
            for what, one in _beyond().items():
                try:
                    driver.append([event(1), one, event(2, of=number(1))])
                except StoreError as error:
                    said = str(error)
                else:
                    raise AssertionError(f"{what}: not refused")
                assert len(said) < 400, f"{what}: the whole of it is in the message"
                said.encode()
                assert list(driver.events(Scope())) == [], what
            driver.append([event(1)])
            assert list(driver.events(Scope())) == [event(1)]

    def test_an_event_at_the_limits_is_stored(self) -> None:
        history = [
            event(at, text, of=Resource(type=text[:16], source=text[:16], id=text), message_id=text, event_type=text)
            for text in ("😀" * 128, "\U0010ffff" * 128)
            for at in (clock.MIN, clock.MAX)
        ]
        assert {len(one.resource.id.encode()) for one in history} == {limits.ID_BYTES}
        assert {len(one.resource.type.encode()) for one in history} == {limits.NAME_BYTES}
        with self.driver() as driver:
            driver.append(reversed(history))
            assert list(driver.events(Scope())) == history


def _beyond() -> dict[str, Event]:
    body = Body.of({"flavor": "x" * limits.BODY_BYTES})
    beyond = {
        "a body that is too long": replace(event(1), body=body),
        **{
            f"{time} {at}": replace(event(1), **{time: at})
            for time in ("occurred_at", "recorded_at")
            for at in (clock.MIN - 1, clock.MAX + 1, 2**63, -(2**63) - 1)
        },
    }
    for text in ("x" * (limits.ID_BYTES + 1), "é" * (limits.ID_BYTES // 2) + "x", "\ud800", "a\udcff"):
        beyond |= {
            f"{name} {text[:5]!r}": replace(event(1), **{name: text}) for name in ("event_type", "message_id")
        } | {f"id {text[:5]!r}": event(1, of=replace(VM, id=text))}
    for text in ("x" * (limits.NAME_BYTES + 1), "é" * (limits.NAME_BYTES // 2) + "x", "\ud800", "a\udcff"):
        beyond |= {f"{name} {text[:5]!r}": event(1, of=replace(VM, **{name: text})) for name in ("type", "source")}
    return beyond
