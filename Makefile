# Everything a developer runs. `make` alone prints this help.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STATE_DIR ?=

.DEFAULT_GOAL := help

help:  ## this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

install: $(STAMP)  ## a virtual environment in .venv with everything in it

demo: $(STAMP)  ## the whole migration on a sandbox: the app in a terminal, plain lines elsewhere
	$(BIN)/mimir-migrate demo $(ARGS)

test: check unit  ## lint, types, import contracts and all tests

check: $(STAMP)  ## lint, formatting, types, import contracts, dead code and words
	$(BIN)/ruff check src tests bench scripts
	$(BIN)/ruff format --check src tests bench scripts
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/pytest --quiet --numprocesses 0 tests/docs/test_words.py

unit: $(STAMP)  ## all tests
	$(BIN)/pytest --numprocesses 2 --dist worksteal $(ARGS)

quick: $(STAMP)  ## the tests of documents, plans, inspection and docs that are quick
	$(BIN)/pytest --quick --numprocesses 2 --dist worksteal tests/documents tests/plans tests/inspection tests/docs $(ARGS)

coverage: $(STAMP)  ## all tests, and the branches of engine, plans and documents that they take
	$(BIN)/pytest --numprocesses 2 --dist worksteal --cov --cov-branch --cov-report term:skip-covered $(ARGS)

bench: $(STAMP)  ## both raw times and the ratio of each benchmark, best of five
	@for file in bench/*.py; do $(BIN)/python $$file || exit 1; done

pictures: $(STAMP)  ## write screens/ and plans/ again
	MIMIR_MIGRATE_WRITE=1 $(BIN)/pytest tests -m 'not soak' -k 'picture or exported' --numprocesses 0

soak: $(STAMP)  ## the long runs, properties with new examples; MIMIR_MIGRATE_SOAK_SEEDS says how many seeds
	$(BIN)/pytest -m 'soak or hypothesis' --hypothesis-profile=new-examples --numprocesses 2 $(ARGS)

mutants: $(STAMP)  ## a slice of the mutation run, 30 minutes at most; run it again to go on; docs/mutants.md
	PYTHONPATH=scripts $(BIN)/python -m mutation $(ARGS)

real: $(STAMP)  ## whole migrations of real processes: BINARY='PATH…' [CHART=PATH]; writes docs/real.md
	@test -n "$(BINARY)" || { echo "name one or more binaries of Mimir or Cortex: make real BINARY=/path/to/cortex"; exit 2; }
	$(BIN)/python -m mimir_migrate.sandbox.real $(foreach one,$(BINARY),--binary $(one)) $(if $(CHART),--chart $(CHART)) $(ARGS)

release-check: $(STAMP)  ## build wheel and sdist, install each into fresh environments, and use them
	$(BIN)/python scripts/release_check.py $(ARGS)

format: $(STAMP)  ## format and fix what can be fixed
	$(BIN)/ruff check --fix src tests bench scripts
	$(BIN)/ruff format src tests bench scripts

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: help install demo test check unit quick coverage bench pictures soak mutants real release-check format clean
