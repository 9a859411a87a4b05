"""The public face: what `import timeline` gives, and what it does not load."""

import subprocess
import sys

import pytest

import timeline


def test_the_public_names_are_sorted_and_each_has_a_home() -> None:
    assert timeline.__all__ == sorted(timeline.__all__)
    assert set(timeline.__all__) == set(timeline._HOMES)


@pytest.mark.parametrize("name", timeline.__all__)
def test_a_public_name_is_documented_and_comes_from_its_home(name: str) -> None:
    value = getattr(timeline, name)
    assert value.__doc__
    assert value.__module__.startswith(timeline._HOMES[name])


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = timeline.nothing


@pytest.mark.parametrize(
    ("imported", "not_loaded"),
    [
        ("timeline", "timeline.model"),
        ("timeline.model", "sqlalchemy"),
        ("timeline.engine", "sqlalchemy"),
        ("timeline.engine", "yaml"),
        ("timeline.cli", "msgspec"),
        ("timeline.cli.asking", "sqlalchemy"),
        ("timeline.drivers", "sqlalchemy"),
        ("timeline.drivers.sql.sqlite", "alembic"),
        ("timeline.definitions", "jsonpath_rw"),
    ],
)
def test_importing_a_low_floor_loads_no_high_one(imported: str, not_loaded: str) -> None:
    program = f"import sys, {imported}; sys.exit({not_loaded!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("alone", ["{}", b"{}", {"event_type": "a.b"}])
def test_one_notification_alone_is_no_iterable_of_notifications(alone: object) -> None:
    with timeline.open("memory:") as engine, pytest.raises(TypeError, match="put into a list"):
        engine.ingest(alone)  # type: ignore[arg-type]
