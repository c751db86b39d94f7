# make run: start everything.  make test: install what tests need and run all of them.  make check: style, types, floors.
# make thorough: the tests with four times as many examples of each law.
# make chaos: the whole crash matrix, which writes docs/crashes.md.  make bench: how fast it is.
# make zapier-build: check and pack the Zapier app with Zapier's own command line.
# Works with make 3.81; needs Python 3.11+ (with venv) and git.

PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
ZAPIER := zapier_app/node_modules/.ready

.PHONY: run test thorough check derive chaos bench zapier-packages zapier-build lock clean python

run: $(VENV)/.ready
	@$(BIN)/gradewire up

test: $(VENV)/.ready-dev zapier-packages
	@sh tests/install-services.sh
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

thorough: $(VENV)/.ready-dev zapier-packages
	@sh tests/install-services.sh
	THOROUGH=1 $(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

derive: $(VENV)/.ready-dev
	$(BIN)/gradewire derive

chaos: $(VENV)/.ready-dev
	@sh tests/install-services.sh
	$(BIN)/python -m tests.chaos

bench: $(VENV)/.ready-dev
	@sh tests/install-services.sh
	$(BIN)/python -m tests.benchmarks.delivery --json
	$(BIN)/python -m tests.benchmarks.pages
	$(BIN)/python -m tests.benchmarks.scan
	$(BIN)/python -m tests.benchmarks.backtest --json
	$(BIN)/python -m tests.benchmarks.tick --json
	$(BIN)/python -m tests.benchmarks.feed --json

zapier-packages: $(ZAPIER)

zapier-build: $(ZAPIER)
	@sh zapier_app/build.sh

# The lock file is made again from pyproject.toml.
lock: $(VENV)/.ready-dev
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--no-header --no-annotate --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist zapier_app/node_modules zapier_app/build *.egg-info .pytest_cache .mypy_cache .ruff_cache

python:
ifeq ($(PYTHON),)
	@echo "Gradewire needs Python 3.11 or newer with venv. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; exit 1
endif

$(VENV)/.ready: pyproject.toml requirements.lock | python
	@echo "Installing into $(VENV) ..."
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable . \
		|| { echo "Installing failed. Is the network there? pycurl and numpy come as wheels for Linux (glibc) and macOS." >&2; exit 1; }
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev,production]'
	@touch $@

$(ZAPIER): zapier_app/package.json zapier_app/package-lock.json tests/install-node.sh | $(VENV)/.ready-dev
	@sh tests/install-node.sh $(BIN)
