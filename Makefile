# Everything starts here, with nothing but make and a Python 3.11 or newer (PYTHON=… chooses one).
PYTHON ?= python3
RUNS ?= 1
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat constraints.txt pyproject.toml | cksum | tr -d ' ')
PIP := $(BIN)/python -m pip --disable-pip-version-check
PACKAGES := $(shell grep -c == constraints.txt)
# What pip says becomes a line now and then on standard error; its exit code stays.
TOLD := /^Collecting/ { if (++n % 20 == 0) say(n " of $(PACKAGES) packages fetched") } \
	/^Installing/ { say("installing") } /^exit/ { code = $$2 } END { exit code } \
	function say(what) { print "setup: " what > "/dev/stderr"; fflush() }
FIRST := $(wildcard tests/unit tests/golden tests/property tests/simulation tests/test_docs.py)

# The tests that start brokers or workers of their own: they take as long as all others with a broker.
OWN := tests/chaos $(addprefix tests/integration/test_, backup.py dev.py embedded.py installed.py many_jobs.py user_functions.py)

.DEFAULT_GOAL := help
.PHONY: help setup jars demo check test chaos outage fuzz bench lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(STAMP) ## .venv with everything, each package pinned by its digest

$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jobplane needs Python 3.11 or newer; $(PYTHON) is %d.%d: use make PYTHON=python3.x" % sys.version_info[:2])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) -m venv failed: its venv module is needed (Debian: python3-venv)" >&2; exit 1; }
	@echo "setup: $(PACKAGES) packages into $(VENV), each checked against its digest" >&2
	@{ PYTHONUNBUFFERED=1 $(PIP) install --progress-bar off --require-hashes -r constraints.txt; echo "exit $$?"; } | awk '$(TOLD)'
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.installed-*
	@touch $@
	@echo "setup: done; the executable is $(BIN)/jobplane" >&2

jars: setup ## Kafka's jars for the embedded broker, into the cache
	@$(BIN)/python -m jobplane.controlplane.embedded.jars

demo: setup jars ## jobs on a real Kafka through suspension, a kill and a hand-over, and the proof
	@$(BIN)/python -m docs.examples.demo $(ARGS)

check: setup ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Tests with a broker wait more than they compute, so two halves of them run side by side, each with a broker of its own.
test: setup check jars ## check, then all tests: what needs no broker, then those with one
	$(BIN)/pytest -q $(FIRST)
	@$(BIN)/pytest -q $(OWN) -m "not long" >$(VENV)/own.log 2>&1 & own=$$!; trap "kill $$own" INT TERM; \
	$(BIN)/pytest -q tests/integration $(addprefix --ignore=,$(OWN)); others=$$?; \
	echo "beside them:"; wait $$own; own=$$?; cat $(VENV)/own.log; exit $$((others | own))

chaos: setup jars ## everything that kills: with two hundred jobs as well, which takes some minutes
	$(BIN)/pytest -q tests/chaos

outage: setup jars ## Kafka itself killed under jobs, so often: make outage RUNS=30
	@for run in $$(seq $(RUNS)); do $(BIN)/pytest -q tests/chaos/test_broker_killed.py || exit 1; done

fuzz: setup ## two million hostile inputs: statements, schemas, commands, bytes
	$(BIN)/python -m tests.fuzz

bench: setup jars ## measure
	$(BIN)/python -m tests.bench

lock: ## the pinned packages anew (needs uv)
	uv pip compile pyproject.toml --all-extras --group dev --group build --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file constraints.txt
	uv pip compile pyproject.toml --extra worker --group build --constraints constraints.txt --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file compose/requirements.txt

clean: ## removes what was made here
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
