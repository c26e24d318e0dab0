# Every target does its own set-up: a fresh Debian 12 or 13 with Python >= 3.11, git and make is enough.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Python of the checkout's own environment, and its programs (promtool among them) before the system's.
VENV := $(CURDIR)/.venv
export PATH := $(VENV)/bin:$(PATH)

PACKAGES := bkp runner exporter auditor
# More workers than the two cores this is made for: some tests wait rather than compute.
PYTEST_ARGS ?= -n 4 --dist worksteal

##@ Use it

.PHONY: demo
demo: ## Back up, check, drill, scrape and audit a sample in .demo/; repeatable
	@scripts/bootstrap demo
	@scripts/demo

.PHONY: serve
serve: ## Keep the exporter up on the demo's state (make demo first) and print its URL
	@scripts/bootstrap demo
	@scripts/serve

##@ Develop it

.PHONY: test
test: ## All unit and integration tests, with the real borg, msmtp, promtool and Chromium
	@scripts/bootstrap test
	@$(VENV)/bin/python -m pytest $(PYTEST_ARGS)
	@scripts/untested

.PHONY: lint
lint: ## ruff, mypy --strict, import rules, shellcheck
	@scripts/bootstrap test
	@scripts/lint

.PHONY: format
format: ## Let ruff format the code and repair what it safely can
	@scripts/bootstrap test
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

.PHONY: bench
bench: ## Run the benchmarks, each printing a table (minutes; wants a quiet machine)
	@scripts/bootstrap test
	@$(VENV)/bin/python -m benchmarks

# The lab's targets (lab, test-vm, test-vm-smoke) come with the lab.
-include tests/vm/lab.mk

##@ Maintain it

.PHONY: lock
lock: ## Regenerate requirements/*.txt with hashes, keeping pins (UPGRADE=1 renews them)
	@scripts/bootstrap test
	@scripts/lock

.PHONY: wheel
wheel: ## Build dist/*.whl
	@scripts/bootstrap test
	@$(VENV)/bin/python -m build --wheel --no-isolation --outdir dist .

.PHONY: clean
clean: ## Remove builds and caches (.venv and .demo stay; clean-all removes them too)
	@rm -rf -- build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find $(wildcard $(PACKAGES) tests scripts benchmarks) -name __pycache__ -type d -prune -exec rm -rf -- {} +

.PHONY: clean-all
clean-all: clean ## clean, and remove .venv and .demo
	@rm -rf -- .venv .demo .cache

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	    /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-zA-Z0-9_-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
