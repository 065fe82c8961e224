# flowscope: `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
.DEFAULT_GOAL := help
.PHONY: help run test check fmt lint types layers web bench chaos fuzz rough simulate planted deaths storms lock clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(STAMP): requirements/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "flowscope needs Python 3.11 or newer: '$(PYTHON)' was not found. Name another with: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "flowscope needs Python 3.11 or newer; $(PYTHON) is older."; exit 1; }
	@echo "» installing into $(VENV) (first time: about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP) web ## serve the studio and the examples at http://127.0.0.1:3001
	@echo "» starting the server; what it keeps is in .flowscope, and Ctrl-C ends it"
	@$(BIN)/flowscope serve --examples examples

web: $(STAMP) ## build the studio, if it has changed
	@$(BIN)/python web_build.py build

test: $(STAMP) servers ## every test
	@$(BIN)/python web_build.py test
	@echo "» running every test"
	@$(BIN)/python -m pytest

check: fmt-check lint types layers test ## the whole gate: format, lint, types, layers, tests

.PHONY: servers
servers:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || { \
	  echo "» the tests need PostgreSQL's server, which is missing: installing Debian's package"; \
	  { apt-get update -qq && apt-get install -y -qq postgresql; } >/dev/null || { echo "Install PostgreSQL's server, so that initdb is found."; exit 1; }; }

.PHONY: fmt-check
fmt-check: $(STAMP)
	@echo "» format"; $(BIN)/ruff format --check --quiet . || { echo "Some files are not formatted: run 'make fmt'."; exit 1; }

fmt: $(STAMP) ## format, and mend what lint can mend
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

lint: $(STAMP) ## ruff
	@echo "» lint"; $(BIN)/ruff check .

types: $(STAMP) ## mypy, strict
	@echo "» types"; $(BIN)/mypy

layers: $(STAMP) ## which storey may import which
	@echo "» layers"; $(BIN)/lint-imports

bench: $(STAMP) ## measure, each figure beside its floor; writes benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

chaos: $(STAMP) ## kill it N times (default 1000) and count what was lost
	@$(BIN)/python -m tests.acceptance.chaos --kills $(or $(N),1000)

fuzz: $(STAMP) ## N WebSocket frames (default 100000) that no client should send; then fresh examples for every property
	@PYTHONPATH=tests $(BIN)/python -m tests.acceptance.frame_fuzz --frames $(or $(N),100000)
	@$(BIN)/python -m pytest --hypothesis-profile=fuzz $$(grep -rl 'from hypothesis' tests --include='test_*.py')

simulate: $(STAMP) ## play N seeds (default 100000) of the orchestrator, its clock and its disk
	@$(BIN)/python -m tests.simulation --seeds $(or $(N),100000)

planted: $(STAMP) ## plant known bugs in a copy, and see each caught (about ten minutes)
	@$(BIN)/python -m tests.acceptance.planted

rough: $(STAMP) ## treat worker processes roughly: N mixed tasks (default 1000), then kill the server 20 times
	@$(BIN)/python -m tests.acceptance.rough_pool --tasks $(or $(N),1000)

deaths: $(STAMP) web ## kill the server N times (default 50) under a run that is watched in the studio
	@cd tests && ../$(BIN)/python -m browser.deaths --deaths $(or $(N),50)

storms: $(STAMP) web ## disturb runs that are watched in the studio N times (default 200): cuts, restarts, sleeping tabs
	@cd tests && ../$(BIN)/python -m browser.storms --storms $(or $(N),200) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

lock: ## write requirements/*.txt again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --all-extras pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --all-extras pyproject.toml --group dev requirements/build.in -o requirements/dev.txt

clean: ## remove what was installed and built
	rm -rf $(VENV) dist web/node_modules src/flowscope/studio .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
