# heller: `make help` says what each target does.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo resume-matcher test test-tools check lint docs lock format clean

help: ## say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/.resume-matcher: $(VENV)/.runtime requirements/resume-matcher.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/resume-matcher.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.runtime ## from a broken legacy database to a proven ledger, in under two minutes
	@$(BIN)/heller demo $(ARGS)

# The browser of the UI tests, which fail without it; and what the tests of deploy/ and of a distribution's PostgreSQL run, which are skipped without it.
# RUNLEVEL=1: the services of the packages are not started.
apt-install = test "$$(id -u)" != 0 || { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null; }
test-tools:
	@command -v chromium >/dev/null || $(call apt-install,chromium)
	-@command -v pgbouncer >/dev/null && command -v promtool >/dev/null && command -v nginx >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
	  || $(call apt-install,--no-install-recommends pgbouncer prometheus nginx-light postgresql)

resume-matcher: $(VENV)/.resume-matcher ## the application that sells analyses for credits, at http://127.0.0.1:8080
	@$(BIN)/heller-resume-matcher --demo demo/resume-matcher $(ARGS)

test: $(VENV)/.dev test-tools ## run all tests (starts its own PostgreSQL)
	$(BIN)/python -m pytest -q -n 3 --dist worksteal $(ARGS)

lint: $(VENV)/.dev ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## write docs/reference anew from the code
	$(BIN)/python docs/generate.py

docs-html: $(VENV)/.dev ## the documentation as a web site in build/html; a warning is an error
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -b html docs build/html
	@echo build/html/index.html

audit: $(VENV)/.dev ## known holes in what we depend on (asks the network), and all licences
	$(BIN)/python tests/tools/licences.py
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements/runtime.txt -r requirements/resume-matcher.txt

release-check: $(VENV)/.dev ## build the wheel, install it in a clean place, run it
	$(BIN)/python tests/tools/release_check.py

check: lint ## everything that must be green: style, types, layers, generated files, tests
	$(MAKE) test

format: $(VENV)/.dev ## let the formatter and the safe fixes run
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/.runtime ## write requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 pyproject.toml --extra resume-matcher -o requirements/resume-matcher.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.11 pyproject.toml --extra resume-matcher --extra traces --group dev -o requirements/dev.txt

clean: ## remove the virtual environment and what the demo left
	rm -rf $(VENV) demo .mypy_cache .ruff_cache
