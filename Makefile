# Everything here needs Python 3.11 or later, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8080
PLUGINS := $(wildcard plugins/*)

# The engine that builds images, and what an image is called.
ENGINE ?= $(firstword $(notdir $(shell command -v podman docker)))
IMAGE ?= modulehost$(addprefix -,$(PLUGIN))
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' host/modulehost/__init__.py)
REVISION = $(shell git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null)
BUILD = $(or $(ENGINE),$(error podman or docker is needed)) build \
	$(if $(filter podman,$(ENGINE)),--format docker) --build-arg 'PLUGIN=$(PLUGIN)' \
	--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) $(IMAGE_ARGS)

.PHONY: help venv run test slow lint format docs image sbom e2e cluster cluster-down bench soak crash-points clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

venv: $(VENV)/.made ## Make the virtual environment with modulehost, the plugins and the tools

$(VENV)/.made: setup.cfg constraints.txt $(PLUGINS:%=%/setup.cfg)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "modulehost needs Python 3.11 or later; call make with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt pip setuptools
	$(BIN)/pip install --quiet --constraint constraints.txt \
		--editable '.[tests]' $(PLUGINS:%=--editable ./%)
	@touch $@

run: venv ## Serve the example plugin on port 8080 (PORT=... for another)
	MODULE_PLUGIN=$${MODULE_PLUGIN:-example} PORT=$(PORT) \
	MODULE_STATE_DIR=$${MODULE_STATE_DIR:-build/run/state} EXAMPLE_DIR=$${EXAMPLE_DIR:-build/run/example} \
	exec $(BIN)/modulehost serve

test: venv ## Test what needs no root, cluster or container
	$(BIN)/pytest --numprocesses 4 --dist worksteal --ignore tests/e2e --ignore tests/cluster -m 'not slow' $(ARGS)

slow: venv ## Test what takes longer: crowds of clients, random stories, generated plugins
	$(BIN)/pytest --numprocesses 4 --dist worksteal --ignore tests/e2e --ignore tests/cluster -m slow $(ARGS)

lint: venv ## Check form, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: venv ## Put the code in form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs ## Build the documentation into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

$(VENV)/.docs: $(VENV)/.made
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

image: ## Build the image; PLUGIN=example: with that plugin in it
	$(BUILD) --tag $(IMAGE):$(VERSION) --tag $(IMAGE):latest .

sbom: ## Write build/sbom.cdx.json: what is in the image (PLUGIN=...)
	$(BUILD) --target sbom --output type=local,dest=build .

e2e: $(VENV)/.e2e ## Test what takes more: containers and clusters (root, Debian, Go), servers
	$(BIN)/pytest tests/e2e $(ARGS)
	$(BIN)/pytest tests/cluster $(ARGS)

$(VENV)/.e2e: $(VENV)/.made
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[e2e]'
	@touch $@

cluster: venv ## Bring up a Kubernetes with the example's image, to try with (root, Debian, Go)
	PYTHONPATH=tests $(BIN)/python -m cluster up $(ARGS)

cluster-down: venv ## Take it away
	PYTHONPATH=tests $(BIN)/python -m cluster down $(ARGS)

bench: venv ## Measure beside a bare Flask application
	PYTHONPATH=tests $(BIN)/python benchmarks/run.py $(ARGS)

soak: venv crash-points ## 20,000 operations with faults against one host (ARGS='--operations N'); build/soak.txt
	PYTHONPATH=tests $(BIN)/python -m soak.run $(ARGS)

crash-points: venv ## Kill and fail at every system call of an operation; build/crash-points.txt
	rm -f build/crash-points.txt
	CRASH_POINTS=all $(BIN)/pytest --numprocesses 4 --dist worksteal tests/faults/test_every_syscall.py

clean: ## Remove all that was made
	rm -rf $(VENV) build dist
