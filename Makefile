# Two commands, each doing all its set-up: `make demo` and `make test`.
# Options go through ARGS: make test ARGS="-k stage", make demo ARGS="--live --contact you@example.org"
PYTHON ?= python3
VENV ?= .venv
ARGS ?=

.PHONY: demo test lint

demo: $(VENV)/.installed-all
	$(VENV)/bin/hgld demo $(ARGS)

test: $(VENV)/.installed-dev
	$(VENV)/bin/pytest $(ARGS)

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

# The stamp names the extra that is installed; it is older than pyproject.toml after a change there.
$(VENV)/.installed-%: pyproject.toml
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -e '.[$*]'
	touch $@
