# `make demo` and `make test` set themselves up. Python 3.11+ with venv and pip, git and make are all they need.
PYTHON ?= python3
BIN := .venv/bin
SRC := src tests benchmarks

.PHONY: help demo test laws branches check format lint types imports docs bench bench-webhook bench-authenticator requirements clean
help:
	@echo "make demo   play both crossings on this machine"
	@echo "make test   run every test that this machine can run"
	@echo "make laws   search for new counterexamples to the property tests, ROUNDS=10 times"
	@echo "make check  format, lint, types, imports, tests, branches and docs: the whole truth"
	@echo "make bench  measure against the original daemons, side by side"

# A stamp a requirements file: the virtual environment is brought up to date only when a pin changes.
.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "iambridge needs Python 3.11 or later: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/.sandbox: requirements/sandbox.txt pyproject.toml | .venv/pyvenv.cfg
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/sandbox.txt
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# pip compiles what it installs, but not what it links to: each start would, where Python may not keep bytecode
	@$(BIN)/python -m compileall -q src
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.sandbox
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: .venv/.sandbox
	$(BIN)/iambridge demo

# Some tests wait, for leases, graces and other processes: one worker more than there are processors keeps those busy.
# pytest keeps the tests compiled even where Python may not: to rewrite their assertions is half of what a worker starts with.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(os.cpu_count() or 1, 7) + 1)')
test: .venv/.dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -q -n $(WORKERS) --dist worksteal

# The property tests with examples that no run has drawn before: what `make test` repeats, this searches.
ROUNDS ?= 10
laws: .venv/.dev
	@for round in $$(seq $(ROUNDS)); do $(BIN)/pytest -q -n 2 -m hypothesis --hypothesis-profile=drawn-anew || exit; done

format: .venv/.dev
	$(BIN)/ruff format -q --check $(SRC)
lint: .venv/.dev
	$(BIN)/ruff check -q $(SRC)
types: .venv/.dev
	$(BIN)/mypy
imports: .venv/.dev
	$(BIN)/lint-imports --no-logo
docs: .venv/.dev
	$(BIN)/pytest -q tests/test_docs.py
# Every branch of the core is run by its own unit tests.
branches: .venv/.dev
	$(BIN)/coverage run --data-file=.coverage.branches --source=iambridge.core \
		-m pytest -q tests/unit/core tests/unit/wire/test_dynamic_file.py
	$(BIN)/coverage report --data-file=.coverage.branches --fail-under=100
check: format lint types imports test branches

bench: .venv/.dev
	$(BIN)/python -m benchmarks

bench-webhook: .venv/.dev
	$(BIN)/python -m benchmarks.webhook

bench-authenticator: .venv/.dev
	$(BIN)/python -m benchmarks.authenticator

# The pins, for whoever changes a dependency: `pip install uv` first. No registry's address gets in.
COMPILE := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header pyproject.toml --group build
requirements:
	$(COMPILE) --extra sandbox -o requirements/sandbox.txt
	$(COMPILE) --extra sandbox --group dev -c requirements/sandbox.txt -o requirements/dev.txt
	$(COMPILE) -c requirements/sandbox.txt -o requirements/daemons.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
