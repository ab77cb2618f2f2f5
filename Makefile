# `make app`, `make test` and `make demo` set everything up first; nothing else is needed than
# Python 3.11 to 3.13, make and a C++ compiler (llama-cpp-python is built on installation).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: app demo test check pictures bench
.DEFAULT_GOAL := app

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || { \
		echo "memqa needs Python 3.11, 3.12 or 3.13; say which: make PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --editable '.[dev]'
	@touch $@

app: $(STAMP)
	$(BIN)/python app.py

demo: $(STAMP)
	$(BIN)/memqa demo --home .demo

test: $(STAMP)
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

# The README's pictures are what the page tests saw.
PICTURES := library:page/shelf-collections-wide-light chat:page/way-unfolded-wide-light \
	watch:page/watch-density-wide-light read:page/read-hits-wide-light \
	memory:page/memory-video-wide-light live:page/live-running-wide-light \
	settings:page/settings-wide-light notebook:notebook/moment-light
pictures: $(STAMP)
	MEMQA_REQUIRE_PAGE=1 $(BIN)/python -m pytest -m page
	$(foreach one,$(PICTURES),cp artefacts/$(lastword $(subst :, ,$(one))).png \
		docs/pictures/$(firstword $(subst :, ,$(one))).png;)

# DATA is a folder like the one that benchmarks/README.md describes.
DATA ?= ../shared/data
bench: $(STAMP)
	$(BIN)/python -m benchmarks.video --data $(DATA)/video --quick
	$(BIN)/python -m benchmarks.docs --data $(DATA)/docs --quick
	$(BIN)/python -m benchmarks.speed --data $(DATA)
