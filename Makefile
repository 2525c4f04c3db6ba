# BillCoin: two commands do everything. `make up` runs it, `make test` proves it.
# Needs only Python >= 3.11, make and the package registry; no compiler, no system package.

# The first Python that is new enough; PYTHON=... names another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
    "$$p" -c '$(NEW_ENOUGH)' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# Every package is exact and checked against its hash. Wheels alone, so that none can demand a
# compiler (two are pure Python and exist as source only). The lock is complete, hence --no-deps:
# it overrides one pin (docs/adr/0004).
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
INSTALL := $(PIP) install --no-deps --require-hashes \
    --only-binary :all: --no-binary python-baseconv,varint
PYTEST := $(BIN)/python -m pytest
# Tests share the cores by file: what a file sets up (a database, a network) stays in one process.
# Slow folders come first by their names (e2e, integration), so that no worker ends long after.
PARALLEL := -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
TESTNET ?= testnet

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev up test only check bench growth sim mutants fuzz clean lock format

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.runtime ## Make .venv with what the product needs

setup-dev: $(VENV)/.dev ## Make .venv with what its tests need as well

up: setup ## Run a whole testnet with a live board
	$(BIN)/billcoin testnet up --dir $(TESTNET) $(ARGS)

test: setup-dev ## Run every test, and hold each package to its coverage
	$(PYTEST) tests --ignore=tests/tidy $(PARALLEL) --durations=25 --cov --cov-report= $(ARGS)
	@$(BIN)/coverage json -q -o .coverage.json
	@$(BIN)/python tests/tidy/coverage_floors.py .coverage.json

only: setup-dev ## Run a part: K=EXPRESSION of names, T=PATH, or both; no coverage
	@test -n "$(K)$(T)" || { echo "Which part? make only K=supervision, or" \
	    "make only T=tests/unit/ledger" >&2; exit 2; }
	$(PYTEST) $(or $(T),tests) $(if $(K),-k '$(K)') $(ARGS)

check: setup-dev ## Format, lint, types, floors, tidiness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q tests/tidy

format: setup-dev ## Put the code in its one shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Measure parts, growth and the running whole; ARGS=--quick for a minute's worth
	$(BIN)/python -m tests.bench $(ARGS)
	$(BIN)/python -m loadtest system $(ARGS)
	$(BIN)/python -m loadtest plots

growth: setup ## Measure what a block costs at 4 to 100 validators, and finality under faults
	@mkdir -p bench-results
	$(BIN)/billcoin sim growth --out bench-results/network.json $(ARGS)
	$(BIN)/python -m loadtest plots

sim: setup-dev ## Run the simulator over many seeds
	$(BIN)/billcoin sim run $(ARGS)

mutants: setup-dev ## Break one rule at a time: the simulator must notice each
	$(BIN)/python tests/mutants/run.py $(ARGS)

fuzz: setup-dev ## Feed every decoder garbage and near misses; ARGS=--minutes=10
	$(BIN)/python -m tests.fuzz $(ARGS)

lock: setup-dev ## Resolve the lock files again
	$(BIN)/uv pip compile -q pyproject.toml --universal --generate-hashes --no-annotate \
	    --custom-compile-command 'make lock' -o requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --extra dev --extra loadtest --extra export --universal \
	    --generate-hashes --no-annotate --custom-compile-command 'make lock' \
	    -c requirements.lock -o requirements-dev.lock
	printf 'hatchling>=1.27\neditables\n' | $(BIN)/uv pip compile -q - --universal \
	    --generate-hashes --no-annotate --custom-compile-command 'make lock' \
	    -c requirements-dev.lock -o requirements-build.lock

clean: ## Remove everything that was made here
	rm -rf $(VENV) build dist bench-results .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	    .import_linter_cache .coverage* htmlcov $(TESTNET)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "BillCoin needs Python 3.11 or newer, and found none." \
	    "Install it, or name it: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo "BillCoin needs Python 3.11 or newer;" \
	    "$(PYTHON) is older. Name another: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making $(VENV) with every package in it: a minute or so, this once."
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	$(INSTALL) -r requirements-build.lock -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(INSTALL) -r requirements-dev.lock
	@touch $@
