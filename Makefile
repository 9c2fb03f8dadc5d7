# Commands that do all their set-up: `make demo`, `make docs`, and the tests in three lanes.
# Options go through ARGS: make test ARGS="-k stage", make demo ARGS="--live --contact you@example.org"
PYTHON ?= python3
VENV ?= .venv
SITE ?= site
ARGS ?=

# What the tests with real servers need beside the `dev` extra: MediaWiki, nginx to limit it, a second SPARQL engine,
# Chromium for the pages, and WordNet.
PACKAGES = mediawiki php-cli php-sqlite3 php-mbstring php-xml php-intl nginx-light curl procps \
	virtuoso-opensource-7-bin chromium-headless-shell wordnet-base \
	texlive-latex-base texlive-latex-recommended

# A process on each core, each with tests of its own. One that ends early takes over what others have left; of the
# servers' tests whole files, which share what takes long to start.
PYTEST = $(VENV)/bin/pytest -n auto

.PHONY: demo docs test test-servers soak lint packages

demo: $(VENV)/.installed-all
	$(VENV)/bin/hgld demo $(ARGS)

docs: $(VENV)/.installed-docs
	$(VENV)/bin/python -m sphinx -q -W --keep-going -j auto -c docs . $(SITE)
	@echo $(SITE)/index.html

test: $(VENV)/.installed-dev
	$(PYTEST) --dist worksteal --ignore=tests/servers --ignore=tests/soak $(ARGS)

test-servers: $(VENV)/.installed-dev $(VENV)/.installed-all packages
	$(PYTEST) --dist loadfile --no-loadscope-reorder tests/servers $(ARGS)

soak: $(VENV)/.installed-dev packages
	$(VENV)/bin/python -m pytest -n auto -p no:randomly -p tests.soak.resume --timeout=0 \
		-o tmp_path_retention_policy=failed tests/soak $(ARGS)

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

packages:
	dpkg -s $(PACKAGES) >/dev/null 2>&1 || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $(PACKAGES) >/dev/null)

# The stamp names the extra that is installed; it is older than pyproject.toml after a change there. `dev` has
# `all` and `docs`.
$(VENV)/.installed-%: pyproject.toml
	@echo "Installs into $(VENV): up to 2 GB, which takes minutes"
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -e '.[$*]'
	touch $@ $(if $(filter dev,$*),$(VENV)/.installed-all $(VENV)/.installed-docs)
