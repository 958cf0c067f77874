.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
BIN := .venv/bin

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

lock:  ## resolve the dependencies again (hash-locked)
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --python-version 3.11 pyproject.toml -o requirements.lock --custom-compile-command "make lock"
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 pyproject.toml --extra local --extra dev -c requirements.lock -o requirements-dev.lock --custom-compile-command "make lock"
	npm install --package-lock-only --ignore-scripts
