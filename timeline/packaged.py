"""Where the files that come with the package are: inside it, else beside it.

A wheel carries ``event_definitions.yaml`` and ``migrations/`` within the package. In a checkout, installed as editable
or not installed at all, they stand at the top level, beside it.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["path"]

_PACKAGE = Path(__file__).resolve().parent


def path(name: str) -> Path:
    """The file or folder of this name that came with the package.

    >>> path("event_definitions.yaml").name
    'event_definitions.yaml'
    """
    for folder in (_PACKAGE, _PACKAGE.parent):
        found = folder / name
        if found.exists():
            return found
    raise FileNotFoundError(
        f"{name} is neither in {_PACKAGE} nor beside it: this installation is not whole, "
        "so install the package resource-timeline again"
    )
