# Every target does its own set-up; see `make help`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 4
# Whose Docker engine `make test-engines` takes: trixie has 26.1, sid the newest.
SUITE ?= trixie
# Compares times on a real engine, so it has the machine to itself.
TIMED := tests/conformance/test_conformance_on_docker.py

.DEFAULT_GOAL := help
.PHONY: help install engine images demo demo-down test check test-engines engine-tests conformance departures chaos soak bench lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

install: $(STAMP) ## make .venv with .venv/bin/rollout

$(STAMP): pyproject.toml tests/requirements.lock
	@compose/setup/install.sh "$(PYTHON)" "$(VENV)"
	@touch $@

engine: install ## bring a Docker engine and a registry on 127.0.0.1:5000 where there are none
	@compose/setup/engine.sh

images: engine ## pull the images that demo and tests need, or build them from Debian's packages
	@compose/setup/images.sh

demo: images ## show a rolling update of dockercoins, its cadence changed under way, a rollback
	@compose/demo.sh

demo-down: install ## remove what the demo left running
	@$(BIN)/rollout rm dockercoins

check: install ## format, lint, types, and all tests that need no engine
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -n $(JOBS) -m "not docker"

test: images ## everything: check, and all tests on a real engine
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup --ignore $(TIMED)
	@$(BIN)/python -m pytest -q $(TIMED)

test-engines: images ## all tests on a real engine once more, on a newer one beside it (SUITE of Debian)
	@compose/setup/other-engine.sh $(SUITE) $(MAKE) -s engine-tests

engine-tests:
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup -m docker --ignore $(TIMED)
	@$(BIN)/python -m pytest -q $(TIMED)

soak: images ## 200 updates in a row: nothing grows
	@$(BIN)/python -m tests.soak 200

chaos: images ## kill commands at every engine call, break every call; nothing may be lost
	@$(BIN)/python -m tests.chaos

conformance: images ## play recordings of a real Swarm on the engine, and say where we differ
	@$(BIN)/python -m tests.conformance

departures: install ## write the README's table of departures from Swarm
	@$(BIN)/python -m tests.conformance --write

bench: images ## ratios against the bare engine calls and against `import docker`
	@$(BIN)/python -m tests.bench

lock: install ## write the versions installed now to the lock file
	@$(BIN)/pip freeze --exclude-editable >tests/requirements.lock

# .cache stays: an engine and a registry that were started here log and store there.
clean: ## remove the virtual environment and what tools left
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
