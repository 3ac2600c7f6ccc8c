# SPDX-License-Identifier: GPL-2.0-only
# Each target sets up what it needs; a second run sets up nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: check test soak lint bench kernels trees man clean
check: $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash tools/ask-thread

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

soak: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m slow
	$(BIN)/python -m tools.c_mutants run --brief --page docs/c-mutants.md

lint: $(STAMP)
	$(BIN)/ruff check bounceproof tests bench tools
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(STAMP)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python bench/run.py

# Source packages of Debian, from bullseye to sid; the tests use those that are there.
SERIES := 5.10 6.1 6.12 7.2 7.3
kernels: $(SERIES:%=build/kernels/linux-source-%.tar.xz)

trees: $(STAMP) kernels
	BOUNCEPROOF_TREES=required $(BIN)/python -m pytest -n 2 -m trees

man: $(STAMP)
	$(BIN)/python -m tools.man_page

build/kernels/%.tar.xz:
	bash tools/fetch-kernel $* build/kernels

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "bounceproof needs Python 3.11 or newer: make PYTHON=python3.x" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build
