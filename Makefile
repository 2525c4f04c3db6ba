# BillCoin: two commands do everything. `make up` runs it, `make test` proves it.
# Needs only Python >= 3.11, make and the package registry.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TESTNET ?= testnet

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev up test check bench sim clean lock format

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.runtime ## Make .venv with what the product needs

setup-dev: $(VENV)/.dev ## Make .venv with what its tests need as well

up: setup ## Run a whole testnet with a live board
	$(BIN)/billcoin testnet up --dir $(TESTNET) $(ARGS)

test: setup-dev ## Run every test
	$(BIN)/python -m pytest $(ARGS)

check: setup-dev ## Format, lint, types, floors, tidiness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/tidy

format: setup-dev ## Put the code in its one shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup-dev ## Measure; prints a table, writes bench-results/*.json
	$(BIN)/python -m loadtest.bench $(ARGS)

sim: setup-dev ## Run the simulator over many seeds
	$(BIN)/billcoin sim run $(ARGS)

lock: setup-dev ## Resolve the lock files again
	$(BIN)/uv pip compile -q pyproject.toml --universal --generate-hashes --no-annotate \
	    --custom-compile-command 'make lock' -o requirements.lock
	$(BIN)/uv pip compile -q pyproject.toml --extra dev --extra loadtest --universal \
	    --generate-hashes --no-annotate --custom-compile-command 'make lock' \
	    -c requirements.lock -o requirements-dev.lock

clean: ## Remove everything that was made here
	rm -rf $(VENV) build dist bench-results .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	    .import_linter_cache .coverage* htmlcov $(TESTNET)

# --no-deps: the lock is complete, and it overrides one pin (see docs/adr/0004).
$(VENV)/.runtime: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -q --no-deps --require-hashes -r requirements.lock
	$(PIP) install -q --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(PIP) install -q --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
