"""How the distribution is built; the settings of the tools stand in pyproject.toml."""

import re
import shutil
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithData(build_py):
    """Copies the two data paths of the top level into the package; an editable install finds them beside it."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            package = Path(self.build_lib, "timeline")
            shutil.copy2(HERE / "event_definitions.yaml", package)
            shutil.rmtree(package / "migrations", ignore_errors=True)  # a build folder may be older than a revision
            shutil.copytree(HERE / "migrations", package / "migrations", ignore=shutil.ignore_patterns("__pycache__"))


def version() -> str:
    """What ``timeline.__version__`` says, read without running the package: its dependencies are not there yet."""
    text = (HERE / "timeline" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit('timeline/__init__.py must hold one line of the form: __version__ = "1.2.3"')
    return found[1]


setup(
    name="resource-timeline",
    version=version(),
    description="What a cloud resource was at any instant, rebuilt from the few events that changed it",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["openstack", "ceilometer", "metering", "notifications", "event sourcing", "bitemporal"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Environment :: OpenStack",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: System :: Monitoring",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["timeline", "timeline.*"]),
    ext_modules=[
        Extension(
            "timeline.replay.join._asof",
            ["timeline/replay/join/_asof.c"],
            depends=["timeline/replay/join/asof_gather.h", "timeline/replay/join/asof_kernel.h"],
            extra_compile_args=["-O3"],
            py_limited_api=True,
            optional=True,  # where it cannot be built, timeline.replay.join.asof_numpy gives the same answers
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    cmdclass={"build_py": BuildWithData},
    entry_points={"console_scripts": ["timeline = timeline.cli:main"]},
    install_requires=[
        "alembic>=1.13",
        "click>=8.2",
        "jsonpath-rw>=1.4",
        "msgspec>=0.19",
        "python-dateutil>=2.9",
        "PyYAML>=6.0.1",
        "rich>=13.7",
        "sqlalchemy>=2.0.30",
    ],
    extras_require={
        "arrow": ["numpy>=1.26", "pyarrow>=18.0"],
        "bus": ["kombu>=5.4", "prometheus_client>=0.20"],
        "hbase": ["happybase>=1.2"],
        "mariadb": ["PyMySQL>=1.1"],
        "mongodb": ["pymongo>=4.9"],
        "postgresql": ["psycopg[binary]>=3.2"],
        "test": [
            "build>=1.2",
            "duckdb>=1.1",
            "happybase>=1.2",
            "hypothesis>=6.100",
            "kombu>=5.4",
            "numpy>=1.26",
            "oslo.messaging>=14.0",
            "pandas>=2.2",
            "polars>=1.30",
            "prometheus_client>=0.20",
            "psycopg[binary]>=3.2",
            "pyarrow>=18.0",
            "pymongo>=4.9",
            "PyMySQL>=1.1",
            "pytest>=8.2",
            "pytest-xdist>=3.6.1",
        ],
        # Another ruff lays code out in another way, so its minor version is held.
        "lint": [
            "import-linter>=2.1",
            "mypy>=1.15",
            "ruff==0.17.*",
            "types-PyMySQL",
            "types-python-dateutil",
            "types-PyYAML",
        ],
        "docs": ["kombu>=5.4", "sphinx>=8.0"],
    },
)
