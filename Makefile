# Every target sets up .venv by itself. PYTHON may name another interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RESULTS ?= benchmarks/results
# Processes that run tests side by side; tests/side_by_side.py says which stay together.
TEST_PROCESSES ?= 2
# The folder with linkedin_postings.csv.gz, for the benchmarks over real postings.
DATA ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: help setup demo test check check-policies bench eval-scoring eval-ranking eval-active-learning chaos clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}; set PYTHON=...")'
	@echo "Setting up $(VENV) (2.6 GB on disk, a few minutes the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[workers,postgres,dev]'
	@touch $(STAMP)

setup: $(STAMP) ## install everything into .venv

demo: $(STAMP) ## score, rank, select and fine-tune demo postings through a real queue
	@$(BIN)/python examples/demo/run.py

test: $(STAMP) ## run the tests
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --no-loadscope-reorder

check: $(STAMP) ## lint, types, architecture, manifests
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m deploy.checking

check-policies: $(STAMP) ## checkov over manifests and images; installs 291 MB of its own
	@test -x .venv-checkov/bin/checkov || { $(PYTHON) -m venv .venv-checkov && .venv-checkov/bin/pip install --quiet checkov==3.3.30; }
	@$(BIN)/python -m deploy.checking render build/manifests
	@.venv-checkov/bin/checkov --config-file deploy/checkov.yaml -d build/manifests -d deploy/images

bench: $(STAMP) ## measure against the peers; results as JSON in benchmarks/results
	@$(BIN)/python -m benchmarks --data $(DATA) --output $(RESULTS)

eval-scoring: $(STAMP) ## evaluate the starter model on the open data; table here, report as HTML
	@mkdir -p $(RESULTS)/scoring
	@$(BIN)/python -m jobsentinel_workers.starter.evaluate --data $(DATA) --out $(RESULTS)/scoring

eval-ranking: $(STAMP) ## evaluate each stage of ranking on the open data; some 20 minutes on a core
	@mkdir -p $(RESULTS)/ranking
	@$(BIN)/python -m jobsentinel_workers.starter.evaluate_ranking --data $(DATA) --out $(RESULTS)/ranking

eval-active-learning: $(STAMP) ## replay labelling on the open data by every strategy; some 20 minutes on a core
	@mkdir -p $(RESULTS)/active-learning
	@$(BIN)/python -m jobsentinel_workers.replay.evaluate --data $(DATA) --out $(RESULTS)/active-learning

chaos: $(STAMP) ## kill, freeze and cut everything off, beside stock Celery; some 40 minutes
	@mkdir -p $(RESULTS)
	@$(BIN)/python -m tests.chaos --output $(RESULTS)/chaos.json --markdown $(RESULTS)/chaos.md

clean: ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
