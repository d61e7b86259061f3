# `make` alone lists what there is. Everything happens in .venv, which is made on first use.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
DEMO_READY := .venv/demo-ready
DEMO := demo
# Without caches of bytecode, each of the processes that run the tests would compile all of them.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement

.PHONY: help demo test test-slow test-all lint format settings screenshot bench bench-limits image release lock ci clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@echo "setting up .venv (once)"; $(PYTHON) -m venv .venv || \
	  { echo "this Python has no venv module: install it (Debian: apt install python3-venv)"; exit 1; }

$(DEMO_READY): requirements-simulator.txt | $(BIN)/python
	@$(INSTALL) requirements-simulator.txt
	@touch $@

$(READY): requirements-dev.txt | $(BIN)/python
	@echo "installing what the tests need (once; it takes a minute or two)"
	@$(INSTALL) requirements-dev.txt
	@touch $(DEMO_READY) $@

demo: $(DEMO_READY) ## run the job against the simulator
	@rm -rf $(DEMO) && mkdir $(DEMO)
	@$(BIN)/python job.py simulate --drafts 60 --agents 6 --foreign 5 --gone 4 --failing 2 --faults 15% \
	  --write-list $(DEMO)/drafts.csv --ready-file $(DEMO)/url > $(DEMO)/simulator.log 2>&1 & \
	simulator=$$!; trap 'kill $$simulator' EXIT; \
	for try in $$(seq 300); do test -s $(DEMO)/url || sleep 0.1; done; \
	set -- $(DEMO)/drafts.csv --base-url "$$(cat $(DEMO)/url)" --yes --rate 20 --retry-wait 100ms \
	  --ledger $(DEMO)/ledger.jsonl --leftover $(DEMO)/leftover.csv --summary $(DEMO)/summary.json; \
	echo "python job.py $$*"; \
	SMALLEST_API_KEY=sk_simulator $(BIN)/python job.py "$$@" --log-format console --log-level warning; code=$$?; \
	test $$code -eq 75 && echo "(Exit 75 is meant: two of these drafts always fail. Look at $(DEMO)/leftover.csv. The simulator has ended.)"

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal

test-slow: $(READY) ## run the long tests too, each run of job.py started as cron starts it
	$(BIN)/python -m pytest -n auto --dist worksteal --slow --cold

test-all: $(READY) ## run the tests under each Python from 3.11 to 3.14 that is found
	@for version in 3.11 3.12 3.13 3.14; do \
	  if python$$version -c "" 2> /dev/null; then \
	    echo "== Python $$version"; own=.venv/python$$version; \
	    test -x $$own/bin/python || python$$version -m venv $$own || exit 1; \
	    $$own/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt && \
	    $$own/bin/python -m pytest -n auto --dist worksteal -q || exit 1; \
	  else echo "== Python $$version is not on this machine"; fi; \
	done

lint: $(READY) ## ruff, mypy and hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

format: $(READY) ## put the code into shape
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

settings: $(READY) ## write config.example.yaml, docs/schemas and the tables in docs
	$(BIN)/python -m cleanup.settings.reference
	$(BIN)/python -m cleanup.schemas

screenshot: $(READY) ## write docs/run.svg from a run, and docs/review.png and docs/report.png with Chromium
	$(BIN)/python -m tests.screenshot docs/run.svg docs/review.png docs/report.png

bench: $(READY) ## measure, side by side, and write the figures of docs/performance.md
	$(BIN)/python -m tests.benchmarks

bench-limits: $(READY) ## measure at many rate limits, and write the table of docs/limits.md
	$(BIN)/python -m tests.benchmarks.limits

image: $(READY) ## build the image and run it as a pod would (root, Debian with buildah and debootstrap)
	$(BIN)/python -m tests.image

release: $(READY) ## build the last commit into dist/: wheel, sdist, SBOM, hashes; the same to the byte each time
	$(BIN)/python -m tests.release dist

lock: $(READY) ## write requirements*.txt anew from pyproject.toml and requirements-dev.in
	$(BIN)/pip-compile $(LOCK) --output-file=requirements.txt pyproject.toml
	$(BIN)/pip-compile $(LOCK) --constraint requirements.txt --extra simulator --output-file=requirements-simulator.txt pyproject.toml
	$(BIN)/pip-compile $(LOCK) --output-file=requirements-dev.txt requirements-dev.in

LOCK := --quiet --allow-unsafe --generate-hashes --strip-extras --no-emit-find-links --no-emit-index-url \
  --no-emit-options --no-emit-trusted-host $(UPGRADE)

ci: lint demo test ## everything that CI runs

clean: ## remove what is made here
	rm -rf .venv $(DEMO) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
