# `make demo` and `make test` set everything up by themselves (.venv, pinned dependencies); a second call is immediate.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
BENCH_STAMP := $(VENV)/.installed-bench
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

# Tests of one file stay in one process as far as they can, since they share what was made for them.
PYTEST := $(BIN)/pytest -n auto --maxprocesses 4 --dist worksteal

.PHONY: help setup demo serve soak faults check format test test-slow test-all docs mini multilingual mini-research bench clean

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

serve: $(STAMP)  ## Serve builtin:mini at http://127.0.0.1:8000, and print a curl that makes a task
	$(BIN)/metaglot serve builtin:mini

soak: $(STAMP)  ## A server under the load of 500 clients, and killed 50 times (20 minutes)
	$(BIN)/python -m benchmarks.soak

faults: $(STAMP)  ## Kills, full disks and changed bytes, 500 of them: is what is saved whole? (three minutes)
	$(BIN)/python -m benchmarks.faults

check: $(STAMP)  ## Formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright

format: $(STAMP)  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP)  ## The quick tests (five minutes on two cores that do nothing else)
	$(PYTEST) -m 'not slow'

test-slow: $(STAMP)  ## The others (twelve minutes on two cores)
	$(PYTEST) -m slow

test-all: test test-slow  ## Every test; in one call with `make test` the quick ones run once

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $(DOCS_STAMP)

docs: $(DOCS_STAMP)  ## Build docs/_build/html; every warning is an error
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo docs/_build/html/index.html

# builtin:mini is the mean of four runs that differ in seed; one has many ways besides, one tasks made from text.
MINI_0 := seed=0
MINI_1 := seed=1 'episodes.ways=[2, 16]' 'episodes.shots=[1, 4]' episodes.queries=2 episodes.max_support=24
MINI_2 := seed=2 'text={root: $$METAGLOT_DATA/text, corpora: [books], length: 64}' 'tasks=[\
  {kind: supervised, weight: 0.7}, {kind: smlmt, weight: 0.15, words: log-frequency}, {kind: documents, weight: 0.05}, \
  {kind: domains, weight: 0.05}, {kind: pairs, weight: 0.05}]'
MINI_3 := seed=3

mini-member-%: $(STAMP)
	$(BIN)/metaglot pretrain $(RECIPE) --out runs/$(RECIPE)-$* $(MINI_$*) $$(test -d runs/$(RECIPE)-$*/checkpoints && echo --resume)

mini: RECIPE := mini
mini: mini-member-0 mini-member-1 mini-member-2 mini-member-3  ## Train builtin:mini (50 CPU-minutes; killed, it goes on; needs METAGLOT_DATA)
	$(BIN)/metaglot average runs/mini-0 runs/mini-1 runs/mini-2 runs/mini-3 --out runs/mini --max-length 128 --force
	$(BIN)/metaglot shrink runs/mini --out runs/mini-shrunk --megabytes 4 --force
	mkdir -p src/metaglot/weights/mini
	cp -r runs/mini-shrunk/. src/metaglot/weights/mini/
	chmod -R u=rwX,go=rX src/metaglot/weights/mini

multilingual: $(STAMP)  ## Train builtin:multilingual (10 CPU-minutes; killed, it goes on; needs METAGLOT_DATA)
	$(BIN)/metaglot pretrain multilingual --out runs/multilingual $$(test -d runs/multilingual/checkpoints && echo --resume)
	$(BIN)/metaglot shrink runs/multilingual --out runs/multilingual-shrunk --megabytes 8 --max-length 128 --force
	mkdir -p src/metaglot/weights/multilingual
	cp -r runs/multilingual-shrunk/. src/metaglot/weights/multilingual/
	chmod -R u=rwX,go=rX src/metaglot/weights/multilingual

mini-research: RECIPE := mini-research
mini-research: mini-member-0 mini-member-1 mini-member-2 mini-member-3  ## The same on all English sets, for research: runs/mini-research
	$(BIN)/metaglot average runs/mini-research-0 runs/mini-research-1 runs/mini-research-2 runs/mini-research-3 --out runs/mini-research --max-length 128 --force

BENCH := --shots 8 --draws 2 --queries 150 --efforts auto,instant,fast --against tfidf,frozen,finetune \
  --limit finetune:draws=1,without=banking77
ifdef FULL
BENCH := --limit finetune:without=banking77 --limit lora:shots=8,draws=2,without=banking77 \
  --limit ours-thorough:shots=8,draws=2,without=banking77 --limit setfit:shots=8,draws=3,without=banking77
endif

$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@touch $(BENCH_STAMP)

bench: $(if $(FULL),$(BENCH_STAMP),$(STAMP))  ## builtin:mini against baselines, a part of it (7 minutes on two cores; needs METAGLOT_DATA); FULL=1: all, hours
	$(BIN)/metaglot bench builtin:mini "$$METAGLOT_DATA/leopard" "$$METAGLOT_DATA/dev" --out runs/bench$(FULL) $(BENCH)

clean:  ## Remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
