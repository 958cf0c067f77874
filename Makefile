.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

demo: setup  ## set everything up, run the main jobs on the embedded stack (KEEP=1 leaves it running)
	$(BIN)/python -m cli.make_demo $(if $(KEEP),--keep)

test: setup  ## the whole test suite, in parallel
	$(BIN)/python -m pytest tests -n $(or $(JOBS),3) --dist worksteal -m "not soak"

setup: $(STAMP)  ## virtual environment, pinned dependencies, local EVM

$(STAMP): requirements-dev.lock requirements-uv.lock package-lock.json pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements-dev.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

run: setup  ## the embedded stack in the foreground
	$(BIN)/holdfast up

lint: setup  ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/yamllint -s .

types: setup  ## static types
	$(BIN)/mypy

contracts: setup  ## who may import whom
	$(BIN)/lint-imports

test-long: setup  ## the suite without parallelism, and the slow runs of tests marked soak
	$(BIN)/python -m pytest tests

soak: setup  ## the whole kill matrix and the load run
	$(BIN)/python -m pytest tests -m soak -s

bench: setup  ## every benchmark, each a ratio
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --no-deps -r benchmarks/requirements.lock
	npm ci --prefix benchmarks --ignore-scripts --no-audit --no-fund --loglevel=error
	missed=0; for name in $$($(BIN)/python -m benchmarks); do $(BIN)/python -m benchmarks.$$name || missed=1; done; exit $$missed

docs: setup  ## generated reference pages
	$(BIN)/python docs/generate.py

solidity: setup  ## compile contracts/src to contracts/*.json
	node contracts/compile.mjs

programs: setup  ## compile programs/*/*.c for the chain, write the hashes
	$(BIN)/python -m programs.build

migration: setup  ## a new migration: make migration m="what changes" (needs DATABASE_URL)
	$(BIN)/python -m storage.new_migration "$(m)"

audit: setup  ## known vulnerabilities of pinned dependencies, secrets in the tree
	$(BIN)/pip-audit --disable-pip --require-hashes -r requirements.lock

lock:  ## resolve the dependencies again (hash-locked)
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 pyproject.toml -o requirements.lock --custom-compile-command "make lock"
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 pyproject.toml --extra local --extra dev -c requirements.lock -o requirements-dev.lock --custom-compile-command "make lock"
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 tests/sdk/requirements.in -o tests/sdk/requirements.lock --custom-compile-command "make lock"
	grep -A 40 '^uv==' requirements-dev.lock | awk 'NR > 1 && !/^ / {exit} {print}' | grep -v '^ *#' > requirements-uv.lock
	npm install --package-lock-only --ignore-scripts

.PHONY: help demo test setup run lint types contracts test-long soak bench docs solidity programs migration audit lock
