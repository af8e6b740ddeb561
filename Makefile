# `make demo` and `make test` do all their set-up themselves; Python 3.11 and make are enough.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 2

.PHONY: demo test clean

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "need $(PYTHON): set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	touch $(READY)

demo: $(READY)
	$(BIN)/selfnas run experiments/quickstart.yaml

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m slow -q
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" --cov --cov-report=term

clean:
	rm -rf $(VENV) .selfnas build *.egg-info
