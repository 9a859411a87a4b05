"""A URL chooses the driver, and what is wrong with it is said in a sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from timeline import drivers
from timeline.errors import DriverMissing, StoreError, StoreUrlError


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded in a fresh process after some code ran."""
    code += "\nimport sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_a_store_library_is_loaded_when_a_url_asks_for_it() -> None:
    assert not loaded_by("from timeline import drivers; drivers.open('memory:')") & {"sqlalchemy", "alembic", "sqlite3"}


def test_alembic_is_loaded_to_prepare_a_store_and_for_nothing_else(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/timeline.db"
    drivers.open(url).prepare()
    use = "from timeline import drivers; driver = drivers.open({!r}); driver.{}"
    assert "alembic" not in loaded_by(use.format(url, "summary()"))
    assert "alembic" not in loaded_by(use.format(url, "prepare()")), "nothing was to be done"


def test_a_missing_store_library_is_a_command_to_run() -> None:
    code = "import sys; sys.modules[{!r}] = None; from timeline import drivers; drivers.open('sqlite:///timeline.db')"
    said = subprocess.run([sys.executable, "-c", code.format("sqlalchemy")], capture_output=True, text=True).stderr
    expected = "DriverMissing: the driver of sqlite: needs sqlalchemy, which is not installed: pip install sqlalchemy"
    assert expected in said


def test_a_missing_alembic_is_a_command_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alembic", None)
    with pytest.raises(DriverMissing, match="needs alembic, which is not installed: pip install alembic"):
        drivers.open(f"sqlite:///{tmp_path}/timeline.db").prepare()


@pytest.mark.parametrize("url", ["timeline.db", "/var/lib/timeline.db", "", ":memory:"])
def test_what_is_no_url_is_told_how_one_begins(url: str) -> None:
    with pytest.raises(StoreUrlError, match=r"is no store URL: one begins with hbase:, .*memory:, .*sqlite:"):
        drivers.open(url)


@pytest.mark.parametrize(("scheme", "near"), [("sqlit", "sqlite"), ("SQLITE3", "sqlite"), ("memmory", "memory")])
def test_a_scheme_with_a_typo_names_the_near_one(scheme: str, near: str) -> None:
    with pytest.raises(StoreUrlError, match=rf"begin with {scheme.lower()}:.* is {near}: meant\?"):
        drivers.open(f"{scheme}:///timeline.db")


@pytest.mark.parametrize("url", ["oracle://scott:tiger@host/db", "//scott:tiger@host/db", "x://h/db?password=tiger"])
def test_no_error_shows_a_password(url: str) -> None:
    with pytest.raises(StoreUrlError) as caught:
        drivers.open(url)
    assert "tiger" not in str(caught.value)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution that brings drivers of its own."""
    information = tmp_path / "far_stores-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: far-stores\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[timeline.drivers]\n"
        "far = far_stores:open\n"
        "far+bus = far_stores_bus:open [bus]\n"
        "far+plain = far_stores_bus:open\n"
        "far+broken = far_stores:nothing_of_the_kind\n"
    )
    (tmp_path / "far_stores.py").write_text(
        "from timeline.drivers.memory import MemoryDriver\n"
        "class FarDriver(MemoryDriver):\n"
        "    def __init__(self, url):\n"
        "        super().__init__()\n"
        "        self.url = url\n"
        "open = FarDriver\n"
    )
    (tmp_path / "far_stores_bus.py").write_text("import far_bus_client.sync\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("plugin")
class TestDriversOfOthers:
    def test_an_entry_point_brings_a_scheme(self) -> None:
        driver = drivers.open("far://host/store?x=1")
        assert type(driver).__name__ == "FarDriver"
        assert vars(driver)["url"] == "far://host/store?x=1"

    def test_its_scheme_is_among_those_that_are_named(self) -> None:
        assert {"far", "memory", "sqlite"} <= set(drivers.schemes())
        with pytest.raises(StoreUrlError, match=r"far:, .*is far: meant\?"):
            drivers.open("farr://host")

    def test_a_missing_package_is_a_command_to_run(self) -> None:
        with pytest.raises(DriverMissing, match=r"far\+bus: needs far_bus_client.*pip install 'far-stores\[bus\]'"):
            drivers.open("far+bus://host")
        with pytest.raises(DriverMissing, match="far_bus_client, which is not installed: pip install far_bus_client"):
            drivers.open("far+plain://host")

    def test_a_broken_driver_is_named(self) -> None:
        with pytest.raises(StoreError, match=r"far\+broken: cannot be loaded from far_stores:nothing_of_the_kind"):
            drivers.open("far+broken://host")
