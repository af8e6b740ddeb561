# `make demo` and `make test` do all their set-up themselves; make and any Python from 3.11 on are enough.
# PYTHON names one that is found under no usual name: make demo PYTHON=/opt/python/bin/python3
PYTHON ?=
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3 python
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
JOBS ?= 2

.PHONY: demo test coverage clean
.DELETE_ON_ERROR:

$(BIN)/python:
	@for name in $(or $(PYTHON),$(PYTHONS)); do \
		version=$$("$$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
		if ! "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
			found="$$found $$name is Python $$version;"; \
		elif ! "$$name" -c 'import ensurepip, venv' 2>/dev/null; then \
			found="$$found $$name lacks the module venv or ensurepip (on Debian: apt install python3-venv);"; \
		else \
			exec "$$name" -m venv $(VENV); \
		fi; \
	done; \
	echo "Python 3.11 or newer, with its module venv, is needed. Looked for: $(or $(PYTHON),$(PYTHONS))." \
		"Found:$${found:- none;} install one, or name it with make PYTHON=/path/to/python3" >&2; \
	exit 1

# What running needs, and the packages of this checkout.
$(READY): requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	touch $@

# What the tests need besides.
$(READY_DEV): requirements-dev.lock $(READY)
	$(PIP) -r requirements-dev.lock
	$(BIN)/python -m pip check
	touch $@

demo: $(READY)
	$(BIN)/selfnas run quickstart

test: $(READY_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -q

# The same tests with the lines that they run; it takes half as long again.
coverage: $(READY_DEV)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -q --cov --cov-report=term

clean:
	rm -rf $(VENV) .selfnas build *.egg-info
