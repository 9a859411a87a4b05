"""The commands that go to a MongoDB server, as pymongo tells of them."""

from __future__ import annotations

from typing import Any

from pymongo import monitoring

_ABOUT_CONNECTIONS = {"hello", "ismaster", "isMaster", "endSessions", "killCursors", "ping"}


class Commands(list[str], monitoring.CommandListener):
    """What the clients that are made within it send: ``find events``, for one."""

    def __init__(self) -> None:
        self._hears = False
        monitoring.register(self)  # for good: pymongo knows no other way

    def __enter__(self) -> Commands:
        self._hears = True
        return self

    def __exit__(self, *error: Any) -> None:
        self._hears = False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self._hears and event.command_name not in _ABOUT_CONNECTIONS:
            first = event.command.get("collection") or event.command.get(event.command_name)
            self.append(f"{event.command_name} {first}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass
