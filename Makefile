# Everything starts here, with nothing but make and a Python 3.11 or newer (PYTHON=… chooses one).
PYTHON ?= python3
RUNS ?= 1
SEEDS ?= 20000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat constraints.txt pyproject.toml | cksum | tr -d ' ')
PIP := $(BIN)/python -m pip --disable-pip-version-check
PACKAGES := $(shell grep -c == constraints.txt)
# What pip says becomes a line now and then on standard error; its exit code stays.
TOLD := /^Collecting/ { if (++n % 20 == 0) say(n " of $(PACKAGES) packages fetched") } \
	/^Installing/ { say("installing") } /^exit/ { code = $$2 } END { exit code } \
	function say(what) { print "setup: " what > "/dev/stderr"; fflush() }

# Six parts of the tests, which run side by side: those that need no broker, those that kill, those that start brokers or
# workers of their own, those about formats, bad records and sources, those about groups, windows and sets of INSERTs, and
# all others. Each of the last five has a broker.
PURE := $(wildcard tests/unit tests/golden tests/property tests/test_docs.py)
OWN := $(addprefix tests/integration/test_, backup.py dev.py dormant.py embedded_broker.py fairness.py installed.py many_jobs.py upgrade.py user_functions.py)
RECORDS := $(addprefix tests/integration/test_, bad_records.py bad_records_edges.py formats.py framed_commands.py options.py registry.py sources.py)
GROUPS := $(addprefix tests/integration/test_, group_timestamps.py groups.py groups_beside_duckdb.py idle.py kept_groups.py many_windows.py sets.py state_budget.py)
PARTS := test-chaos test-shared test-groups test-own test-records test-pure
PYTEST := $(BIN)/pytest -q --durations=10
# What each part prints stays together, with a make that can do so (4.0 or newer).
TOGETHER := $(if $(filter output-sync,$(.FEATURES)),--output-sync)

.DEFAULT_GOAL := help
.PHONY: help setup jars demo check test $(PARTS) chaos outage simulate fuzz bench bench-guard bench-peers lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

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

# Tests with a broker wait more than they compute: the others run beside them, at a lower priority.
test: setup check jars ## check, then all tests in six parts side by side; what a part says is printed at its end
	@$(MAKE) --no-print-directory --keep-going --jobs=$(words $(PARTS)) $(TOGETHER) $(PARTS)

test-chaos:
	exec $(PYTEST) tests/chaos -m "not long"

test-shared:
	exec $(PYTEST) tests/integration $(addprefix --ignore=,$(OWN) $(RECORDS) $(GROUPS))

test-groups:
	exec $(PYTEST) $(GROUPS)

test-own:
	exec $(PYTEST) $(OWN)

test-records:
	exec $(PYTEST) $(RECORDS)

test-pure:
	exec nice $(PYTEST) $(PURE)

chaos: setup jars ## everything that kills: with two hundred jobs as well, which takes some minutes
	$(BIN)/pytest -q tests/chaos

outage: setup jars ## Kafka itself killed under jobs, so often: make outage RUNS=30
	@for run in $$(seq $(RUNS)); do $(BIN)/pytest -q tests/chaos/test_broker_killed.py || exit 1; done

simulate: setup ## groups through any interleaving, batches and crashes beside DuckDB: make simulate SEEDS=20000
	SEEDS=$(SEEDS) $(BIN)/pytest -q tests/property/test_group_oracle.py

fuzz: setup ## two million hostile inputs: statements, schemas, commands, bytes
	$(BIN)/python -m tests.fuzz

bench: setup jars ## measure
	$(BIN)/python -m tests.bench

bench-guard: setup jars ## fail where records cost 15 % more CPU than at the commit in tests/bench/baseline.txt
	$(BIN)/python -m tests.bench.guard

bench-peers: setup jars ## jobplane beside Kafka Streams and a plain loop, into docs/performance.md (needs Maven)
	$(BIN)/python -m tests.bench.peers

lock: ## the pinned packages anew (needs uv)
	uv pip compile pyproject.toml --all-extras --group dev --group build --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file constraints.txt
	uv pip compile pyproject.toml --extra worker --group build --constraints constraints.txt --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --quiet --output-file compose/requirements.txt

clean: ## removes what was made here
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist ./*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
