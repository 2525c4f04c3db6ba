# BillCoin: two commands do everything. `make up` runs it, `make test` proves it.
# Needs only Python 3.11 to 3.14, make and the package registry; no compiler, no system package.

# The newest Python that serves: one that the locked wheels exist for (docs/adr/0004), and that can
# make an environment. PYTHON=... names another.
SERVES := import platform, ssl, sys, venv, ensurepip; \
    least = (3, 11) if platform.machine() in ("x86_64", "AMD64") else (3, 12); \
    sys.exit(not least <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
    "$$p" -c '$(SERVES)' 2>/dev/null && "$$p" -c 'import sys; \
    print(sys.version_info.minor, sys.executable)'; done | sort -n | tail -n 1 | cut -d ' ' -f 2-)
VENV := .venv
BIN := $(VENV)/bin
# Every package is exact and checked against its hash. Wheels alone, so that none can demand a
# compiler (two are pure Python and exist as source only). The lock is complete, hence --no-deps:
# it leaves out what is asked for and never used (docs/adr/0004).
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
INSTALL := $(PIP) install --no-user --no-deps --require-hashes \
    --only-binary :all: --no-binary python-baseconv,varint
PYTEST := $(BIN)/python -m pytest
# Tests share the cores by file: what a file sets up (a database, a network) stays in one process.
# How many share, and in what order files come, stands in tests/support/system/sharing.py.
# Each run has temporary folders of its own, which stay if it fails: runs side by side clear away
# what lies in pytest's usual place.
PARALLEL := -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
TESTNET ?= testnet
export TESTNET

# Of pip's settings in the environment, only those that say how a registry is reached are for us: a
# PIP_USER, PIP_TARGET or PIP_NO_BINARY would put packages elsewhere, or others than are locked.
REACH := PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_CERT PIP_CLIENT_CERT \
    PIP_PROXY PIP_TRUSTED_HOST PIP_TIMEOUT PIP_DEFAULT_TIMEOUT PIP_RETRIES PIP_RESUME_RETRIES \
    PIP_CACHE_DIR PIP_NO_CACHE_DIR PIP_CONFIG_FILE PIP_KEYRING_PROVIDER PIP_DISABLE_PIP_VERSION_CHECK
unexport $(filter-out $(REACH),$(filter PIP_%,$(.VARIABLES)))

.DEFAULT_GOAL := help
.PHONY: FORCE serves help setup setup-dev up test only check bench growth year sim mutants law-mutants fuzz clean lock format

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.runtime ## Make .venv with what the product needs

setup-dev: $(VENV)/.dev ## Make .venv with what its tests need as well

up: setup ## Run a whole testnet with a live board
	$(BIN)/billcoin testnet up --dir "$$TESTNET" $(ARGS)

test: setup-dev ## Run every test, and hold each package to its coverage
	@temp=$$(mktemp -d) && set -x && $(PYTEST) tests --ignore=tests/tidy $(PARALLEL) \
	    --basetemp=$$temp/t --durations=25 --cov --cov-report= $(ARGS) && rm -rf $$temp
	@$(BIN)/coverage json -q -o .coverage.json
	@$(BIN)/python tests/tidy/coverage_floors.py .coverage.json

only: setup-dev ## Run a part: K=EXPRESSION of names, T=PATH, or both; no coverage
	@test -n "$(K)$(T)" || { echo "Which part? make only K=supervision, or" \
	    "make only T=tests/unit/ledger" >&2; exit 2; }
	$(PYTEST) $(or $(T),tests) $(if $(K),-k '$(K)') $(ARGS)

check: setup-dev ## Format, lint, types, floors, tidiness, wheels for every Python
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -q tests/tidy
	@$(MAKE) -s $(VENV)/.wheels

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

year: setup ## Let an honest plant live a year under the law: what does it lose? ARGS=--causes
	$(BIN)/python -m tests.year $(ARGS)

sim: setup-dev ## Run the simulator over many seeds
	$(BIN)/billcoin sim run $(ARGS)

mutants: setup-dev ## Break one rule at a time: the simulator must notice each
	$(BIN)/python tests/mutants/run.py $(ARGS)

law-mutants: setup-dev ## Leave out one rule of evidence at a time: a test must notice each
	$(BIN)/python -m tests.mutants.law_run $(ARGS)

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

clean: ## Remove everything that was made here, and the testnet that TESTNET names
	@test ! -e "$$TESTNET" || grep -qs '"chain_id"' "$$TESTNET/layout.json" || { \
	    echo "$$TESTNET is no testnet (it has no layout.json of one): nothing was removed." \
	    "Remove it yourself, or name another: make clean TESTNET=DIR" >&2; exit 1; }
	rm -rf -- $(VENV) .venv-* build dist bench-results .mypy_cache .ruff_cache .pytest_cache \
	    .hypothesis .import_linter_cache .coverage* htmlcov "$$TESTNET"

serves: # Tell by the exit code whether PYTHON serves
	@"$(PYTHON)" -c '$(SERVES)' 2>/dev/null

# An environment that was left half made, or whose Python has gone, is made anew.
ifneq ($(shell test -e $(VENV)/.made && $(BIN)/python -c 'print("lives")' 2>/dev/null),lives)
$(VENV)/.made: FORCE
endif
$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "BillCoin needs Python 3.11 to 3.14 (on ARM 3.12 to 3.14), and" \
	    "found none that has venv and ssl. Install one (on Debian with python3-venv), or name it:" \
	    "make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c '$(SERVES)' || { echo "BillCoin needs Python 3.11 to 3.14 (on ARM 3.12 to" \
	    "3.14), with venv and ssl; $(PYTHON) does not serve." \
	    "Name another: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making $(VENV) with every package in it: a minute or so, this once."
	@rm -rf -- $(VENV)
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml $(VENV)/.made
	$(INSTALL) -r requirements-build.lock -r requirements.lock
	$(PIP) install --no-user --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(INSTALL) -r requirements-dev.lock
	@touch $@

# Asked again when a lock has changed; a registry out of reach (exit code 3) is told, and no fault.
$(VENV)/.wheels: requirements-dev.lock requirements-build.lock tests/tidy/lock_wheels.py
	@$(BIN)/python tests/tidy/lock_wheels.py && touch $@ || test $$? -eq 3
