# `make` checks the paper's claims; `make help` lists everything. Needs python3 (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
AUDIT_ARGS ?=
PYTEST_ARGS ?=
LOCK_ARGS ?=
NOTEBOOKS ?=
UV := uv==0.13.9

BIN := $(VENV)/bin
MADE := $(VENV)/.made
BASE := $(VENV)/.base
DEV := $(VENV)/.dev
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input

# Tests run in two processes: one thread each. PYTEST also serves the benchmarks.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest
TWO := -n 2 --dist loadfile
COVERAGE := --cov --cov-report=term:skip-covered

.PHONY: verify verify-deep test test-nightly coverage bench record notebooks lint format lock clean help

verify: $(BASE)  ## run the audit: every claim checked from first principles (AUDIT_ARGS=...)
	@$(BIN)/python -m tabular audit $(AUDIT_ARGS)

verify-deep: $(DEV)  ## train AORPO anew on exact games, compare with the record (minutes, one core)
	@$(ONE_THREAD) $(BIN)/python notebooks/record_theory.py --check

test: lint  ## linters, types, import contracts, tests (PYTEST_ARGS=...)
	@HYPOTHESIS_PROFILE=ci $(PYTEST) $(TWO) -m "not nightly" $(PYTEST_ARGS)

coverage: $(DEV)  ## the same tests with branch coverage: they take twice as long
	@HYPOTHESIS_PROFILE=ci $(PYTEST) $(TWO) -m "not nightly" $(COVERAGE) $(PYTEST_ARGS)

test-nightly: $(DEV)  ## the tests marked nightly too, with many more examples each, with coverage
	@HYPOTHESIS_PROFILE=nightly $(PYTEST) $(TWO) -o timeout=0 $(COVERAGE) $(PYTEST_ARGS)

bench: $(DEV)  ## time tests/benchmarks on one thread
	@$(PYTEST) tests/benchmarks --benchmark-enable -p no:randomly $(PYTEST_ARGS)

record: $(BASE)  ## run the audit and record it for the README (notebooks/data/audit)
	@$(BIN)/python notebooks/record_audit.py

notebooks: $(DEV)  ## run the notebooks and write their outputs and figures (NOTEBOOKS="01_name ...")
	@$(BIN)/python notebooks/execute.py $(NOTEBOOKS)

lint: $(DEV)  ## ruff, mypy, import-linter
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "run: make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(DEV)  ## rewrite the code in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

define LOCK_HEADER
# One version of every package for all extras, platforms and Pythons from 3.11 on: a pip constraints
# file, so an install takes from it only what it needs: pip install -c requirements.lock -e '.[dev]'
# Made from pyproject.toml by: make lock (LOCK_ARGS=--upgrade to move the pins)
endef
export LOCK_HEADER

lock: $(MADE)  ## renew requirements.lock after a change of pyproject.toml (LOCK_ARGS=--upgrade)
	@$(PIP) install $(UV)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header \
	  --no-annotate --no-emit-index-url $(LOCK_ARGS) --output-file requirements.lock pyproject.toml
	@pins=$$(cat requirements.lock) && printf '%s\n%s\n' "$$LOCK_HEADER" "$$pins" > requirements.lock

clean:  ## remove the environment, caches and build products
	rm -rf $(VENV) build dist *.egg-info .coverage .coverage.* htmlcov .hypothesis .benchmarks
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find bounds tabular deep tests -name __pycache__ -prune -exec rm -rf {} +

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 15
	@echo "For another Python: make test PYTHON=python3.13 VENV=.venv-3.13"

$(MADE):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("opponentwise needs \
	Python 3.11 or newer, $(PYTHON) is %d.%d; name another: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(BASE): $(MADE) pyproject.toml requirements.lock
	@echo "Installing what the audit needs into $(VENV)"
	@$(PIP) install -c requirements.lock -e .
	@touch $@

$(DEV): $(MADE) pyproject.toml requirements.lock
	@echo "Installing what the tests need into $(VENV)"
	@$(PIP) install -c requirements.lock -e '.[dev]'
	@touch $(BASE) $@
