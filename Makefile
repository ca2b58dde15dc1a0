# `make run` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# They tell Python not to look into this folder, or to look elsewhere for itself.
unexport PYTHONHOME PYTHONSAFEPATH

.PHONY: help run test setup fuzz bench bench-peers lock schema clean
.DEFAULT_GOAL := help

help: ## Show what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp .assets/stamp ## Start everything: databases, demo data, server, GraphiQL
	@exec $(BIN)/python server.py

test: $(VENV)/dev.stamp .assets/stamp ## Check style, types and imports, and run every test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ARGS)

fuzz: $(VENV)/dev.stamp ## Run the tests that try at random for long: FUZZ=20 times as much (about half an hour)
	FUZZ=$(or $(FUZZ),20) $(BIN)/python -m pytest tests/execution tests/faults tests/schema/test_writes_against_a_model.py \
		tests/web/test_fuzz.py $(ARGS)

setup: $(VENV)/run.stamp .assets/stamp ## Install what the server needs, and stop there

bench: $(VENV)/dev.stamp ## Measure the server against a floor (needs wrk)
	$(BIN)/python -m bench $(ARGS)

bench-peers: bench/peers/node_modules/.installed ## Install the servers that ARGS="--peers" measures beside (needs npm)

schema: $(VENV)/run.stamp ## Write schema.graphql from the code
	$(BIN)/python -m ops sdl > schema.graphql.new && mv schema.graphql.new schema.graphql

lock: $(VENV)/dev.stamp ## Renew the locks after a change of pyproject.toml
	$(BIN)/pip-compile $(LOCK_FLAGS) -o requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK_FLAGS) --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## Remove everything that was installed or made here, the data included
	rm -rf $(VENV) .assets .data .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/peers/node_modules

# A lock names packages, versions and hashes: no index, no download address.
LOCK_FLAGS := --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --annotation-style=line \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making the environment in $(VENV)"
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; } # half of one would count as made

$(VENV)/run.stamp: requirements.lock | $(BIN)/python
	@echo "Installing the server's packages (about half a minute the first time)"
	@$(PIP_INSTALL) -r requirements.lock
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "Installing the packages for tests"
	@$(PIP_INSTALL) -r requirements-dev.lock
	@touch $@

# GraphiQL comes from npm. Without npm, or without a network, the server runs and the page says what is missing; there
# is no stamp then, so that the next run tries again. What is there goes first: it may be of another version.
.assets/stamp: web/graphiql/package.json web/graphiql/package-lock.json
	@rm -rf .assets && mkdir .assets && cp $^ .assets/
	@if ! command -v npm >/dev/null; then \
		echo "npm is not installed: the API works, the GraphiQL page will say how to get it"; \
	elif echo "Installing GraphiQL from npm" && npm ci --prefix .assets $(NPM_FLAGS); then \
		touch $@; \
	else \
		echo "npm could not install GraphiQL: the API works, the page will say how to try again"; \
	fi

# The lock lies beside what was installed from it, so that the benchmark measures nothing else.
bench/peers/node_modules/.installed: bench/peers/package.json bench/peers/package-lock.json
	@command -v npm >/dev/null || { echo "the peers of the benchmark need Node 20 or newer and npm" >&2; exit 1; }
	@echo "Installing the peers of the benchmark from npm"
	@npm ci --prefix bench/peers $(NPM_FLAGS)
	@cp bench/peers/package-lock.json $@

# One quick retry: a machine without a network should not wait for the minute that npm would take by itself.
NPM_FLAGS := --ignore-scripts --no-audit --no-fund --loglevel=error --prefer-offline \
	--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=30000
