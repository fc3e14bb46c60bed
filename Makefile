# `make demo` and `make test` set everything up by themselves (.venv, pinned dependencies); a second call is immediate.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: help setup demo check format test test-all docs mini clean

help:  ## What each target does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(STAMP)  ## Make .venv with the pinned dependencies

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "metaglot needs Python 3.11 or newer; call: make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)  ## Meta-train a small model on real data and show it learning unseen tasks (minutes)
	$(BIN)/metaglot demo

check: $(STAMP)  ## Formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

format: $(STAMP)  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP)  ## The quick tests (under five minutes on two cores)
	$(BIN)/pytest -n auto --maxprocesses 4 -m 'not slow'

test-all: $(STAMP)  ## Every test (under fifteen minutes on two cores)
	$(BIN)/pytest -n auto --maxprocesses 4

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $(DOCS_STAMP)

docs: $(DOCS_STAMP)  ## Build docs/_build/html; every warning is an error
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo docs/_build/html/index.html

mini: $(STAMP)  ## Train what is to come as builtin:mini from recipes/mini.yaml (about 90 CPU-minutes; needs METAGLOT_DATA)
	$(BIN)/metaglot pretrain mini --out runs/mini $$(test -d runs/mini/checkpoints && echo --resume)
	rm -rf runs/mini-shrunk
	$(BIN)/metaglot shrink runs/mini --out runs/mini-shrunk --megabytes 4
	mkdir -p src/metaglot/weights/mini
	cp -r runs/mini-shrunk/. src/metaglot/weights/mini/

clean:  ## Remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
