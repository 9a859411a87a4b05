# Each target sets up what it needs in .venv: python3 with its venv module, and a way to PyPI, are enough to begin with.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILT_FROM := setup.py pyproject.toml $(wildcard timeline/replay/join/*.c timeline/replay/join/*.h)
# More words for the program that the target runs: make test ARGS="-k ambiguous -x"
ARGS ?=
# The servers to install; none named means all
SERVERS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test servers test-servers faults-long packaging lint bench bench-long docs clean

help:
	@echo "make demo       the main job on a file of notifications"
	@echo "make test       the tests, but for the packaging test, on the servers that are there"
	@echo "make servers    install the servers that tests use: as the superuser of a Debian"
	@echo "make test-servers  the same, and the tests of every driver and of the bus on them"
	@echo "make faults-long the tests of faults, with ten times as much of each: for a night"
	@echo "make packaging  the packaging test: wheel, editable install, bare checkout"
	@echo "make lint       layout, likely mistakes, types, import contracts"
	@echo "make bench      speed and memory, with their floors"
	@echo "make bench-long the same of 200 million samples, Parquet to Parquet, and a million messages: 6 GB of disk"
	@echo "make docs       the documentation, into docs/_build/html"
	@echo "make clean      remove all that the others made"

demo: $(VENV)/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n auto $(ARGS)

servers: $(VENV)/installed-test
	$(BIN)/python -m tests.servers install $(SERVERS)

test-servers: servers
	TIMELINE_TEST_SERVERS_REQUIRED=1 $(BIN)/python -m pytest -n auto tests/drivers tests/servers tests/bus tests/faults $(ARGS)

faults-long: servers
	TIMELINE_TEST_SERVERS_REQUIRED=1 TIMELINE_FAULTS=$${TIMELINE_FAULTS:-10} $(BIN)/python -m pytest tests/faults $(ARGS)

packaging: $(VENV)/installed-test
	$(BIN)/python -m pytest -m packaging tests/packaging $(ARGS)

lint: $(VENV)/installed-test $(VENV)/installed-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/installed-test
	$(BIN)/python -m benchmarks $(ARGS)

bench-long: $(VENV)/installed-test
	$(BIN)/python -m benchmarks --long streaming bus $(ARGS)

docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html $(ARGS)

clean:
	[ ! -d .servers ] || [ ! -x $(BIN)/python ] || $(BIN)/python -m tests.servers stop
	rm -rf $(VENV) .servers build dist docs/_build *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -f timeline/replay/join/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: an environment once made, and what was installed into it since these files last changed.

$(VENV)/made:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv --clear $(VENV)
	touch $@

$(VENV)/installed: $(VENV)/made $(BUILT_FROM)
	$(BIN)/python -m pip install --quiet --editable '.[arrow]'
	touch $@

$(VENV)/installed-%: $(VENV)/made $(BUILT_FROM)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@
