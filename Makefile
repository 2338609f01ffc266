# Everything that is done to this repository has a target here; CI runs the same ones.
SHELL := bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# The stamps carry a checksum of what is to be installed: set up again when that has changed, and only then.
KEY := $(shell cat pyproject.toml constraints.txt | cksum | cut -d ' ' -f 1)
USER_STAMP := $(VENV)/.user-$(KEY)
SERVER_STAMP := $(VENV)/.server-$(KEY)
DEV_STAMP := $(VENV)/.dev-$(KEY)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
WORKERS ?= 2

.PHONY: help setup dev weights demo page annotate-demo annotate-picture wheel test pytest page-check \
	test-browser test-shared lint format types bench docs clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS=$$'\t' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

setup: $(USER_STAMP) ## install Anytomy into .venv, ready to use

dev: $(DEV_STAMP) ## setup, and the tools that tests and checks need

demo: $(USER_STAMP) ## segment the sample images and write pictures and a page to demo/
	$(BIN)/anytomy demo -o demo

page: | $(BIN)/python ## build the page of `anytomy annotate` into the package (Node from PyPI where there is none)
	$(BIN)/python web/build.py --get-node

annotate-demo: $(SERVER_STAMP) page ## annotate the sample images in a browser (ANNOTATE=--no-browser: only its address)
	$(BIN)/anytomy demo --images -o demo/images
	$(BIN)/anytomy annotate demo/images -o demo/labels $(ANNOTATE)

wheel: page ## what users install, with the page in it, into dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .

test: lint types page-check pytest $(if $(SHARED),test-shared) ## all checks and the default tests (SHARED=1: also on ../shared)

pytest: $(DEV_STAMP) weights ## the default tests only
	$(BIN)/python -m pytest -n $(WORKERS)

page-check: | $(BIN)/python ## types, style and unit tests of the page's sources, where there is Node
	$(BIN)/python web/build.py check

test-browser: $(DEV_STAMP) weights page ## the tests that click through the page in a browser
	$(BIN)/python -m pytest -m browser

annotate-picture: $(DEV_STAMP) weights page ## the picture of the page in README.md
	$(BIN)/anytomy demo --images -o demo/images
	$(BIN)/python -m tests.browser.readme_picture demo/images docs/images/annotate.jpg

# pytest exits with 5 where no test has the marker.
test-shared: $(DEV_STAMP) weights ## the tests on the development data in ../shared
	$(BIN)/python -m pytest -n $(WORKERS) -m 'shared and not slow and not browser and not gpu' || (($$? == 5))

# Tests stay offline: those that need real weights are skipped where this cannot fetch them.
weights: $(USER_STAMP)
	-@$(BIN)/anytomy models fetch litemedsam

lint: $(DEV_STAMP) ## style, formatting, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

format: $(DEV_STAMP) ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(DEV_STAMP) ## mypy
	$(BIN)/mypy

bench: $(DEV_STAMP) ## measure what docs/ reports
	$(BIN)/python benchmarks/run_all.py

docs: $(USER_STAMP) ## write docs/cli.md from the commands themselves
	mkdir -p docs
	$(BIN)/typer anytomy.cli.main utils docs --name anytomy --title 'Command line' --output docs/cli.md

clean: ## remove caches and builds; keeps .venv and demo/
	rm -rf build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Anytomy needs Python 3.11 or newer; name one: make setup PYTHON=/path/to/python'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(USER_STAMP): | $(BIN)/python
	$(PIP_INSTALL) -e .
	@rm -f $(VENV)/.user-*
	@touch $@

$(SERVER_STAMP): | $(USER_STAMP)
	$(PIP_INSTALL) -e '.[server]'
	@rm -f $(VENV)/.server-*
	@touch $@

$(DEV_STAMP): | $(USER_STAMP)
	$(PIP_INSTALL) -e '.[dev]'
	@rm -f $(VENV)/.dev-*
	@touch $@
