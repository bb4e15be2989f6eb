# Every target makes its own environment in .venv when there is none, and renews it when
# pyproject.toml changes. Needs make, Python 3.11 or newer with venv, and a package index.
#
#   make demo          coarse network against exact simulation, on real images (no torch needed)
#   make test          the tests; make test ARGS="-k heap" for some of them
#   make check         style, types, import directions, contents of the wheel
#   make bench         speed of the engines
#   make bench-peers   the same, beside other simulators, which it installs
#   make performance   all measurements with peers, on a quiet machine; writes docs/performance.md
#                      (ROUNDS=1 for a try, FULL= leaves out the largest network)
#   make docs          the documentation, in docs/_build/html
#   make test-frameworks  the tests against snnTorch and other frameworks, which it installs
#   make test-browser  the report in Chromium, which must be there (CHROMIUM=... names it)
#   make validation    the studies, one claim each
#   make format        rewrite the sources in the house style
#   make clean         remove the environment and everything that was built
#
# Other interpreter: make test PYTHON=python3.13

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
FRAMEWORKS := $(VENV)/frameworks
FRAMEWORKS_PIP := $(FRAMEWORKS)/bin/python -m pip --disable-pip-version-check
EXPORTERS := $(VENV)/exporters
EXPORTERS_PIP := $(EXPORTERS)/bin/python -m pip --disable-pip-version-check
NEW_NIR := $(VENV)/nir
PEERS := $(VENV)/peers
PEERS_PIP := $(PEERS)/bin/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-browser test-frameworks check wheel bench bench-peers performance \
  docs validation format clean

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "eventsim needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# What the stamps say: the environment holds what pyproject.toml asked for at that time.
$(VENV)/base.stamp: pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --editable .
	touch $@

$(VENV)/dev.stamp: pyproject.toml tools/install_torch.py | $(BIN)/python
	$(BIN)/python tools/install_torch.py
	$(PIP) install --quiet --editable ".[dev]"
	touch $(VENV)/base.stamp $@

$(VENV)/docs.stamp: pyproject.toml tools/install_torch.py | $(BIN)/python
	$(BIN)/python tools/install_torch.py
	$(PIP) install --quiet --editable ".[docs]"
	-$(PIP) install --quiet --no-deps spikingtorch
	touch $(VENV)/base.stamp $@

demo: $(VENV)/base.stamp
	$(BIN)/eventsim demo --out out/demo --overwrite $(ARGS)

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(ARGS)

test-browser: $(VENV)/dev.stamp
	$(BIN)/python -m pytest browser_tests $(ARGS)

# The frameworks pull in old versions of other packages, so they get an environment of their own.
# Their tests are left out for those that an index does not have. sinabs wants an old nir, while
# eventsim writes files with a newer one, which stands beside.
$(FRAMEWORKS)/stamp: pyproject.toml tools/install_torch.py | $(BIN)/python
	$(BIN)/python -m venv $(FRAMEWORKS)
	$(FRAMEWORKS)/bin/python tools/install_torch.py
	$(FRAMEWORKS_PIP) install --quiet --editable \
	  ".[norse,rockpool,sinabs,snntorch,spikingjelly]" nirtorch \
	  hypothesis pytest scikit-learn
	-$(FRAMEWORKS_PIP) install --quiet --no-deps spikingtorch
	$(FRAMEWORKS_PIP) install --quiet --no-deps --target $(NEW_NIR) "nir>=1.0.5"
	touch $@

# snnTorch and SpikingJelly export with a newer nir than sinabs allows beside it.
$(EXPORTERS)/stamp: pyproject.toml tools/install_torch.py | $(BIN)/python
	$(BIN)/python -m venv $(EXPORTERS)
	$(EXPORTERS)/bin/python tools/install_torch.py
	$(EXPORTERS_PIP) install --quiet --editable ".[snntorch,spikingjelly]" "nir>=1.0.5" "nirtorch>=2.6" \
	  hypothesis pytest
	touch $@

test-frameworks: $(FRAMEWORKS)/stamp $(EXPORTERS)/stamp
	PIP_NO_INDEX=1 $(FRAMEWORKS)/bin/python -m pytest tests/frameworks \
	  tests/test_framework_records.py \
	  tests/test_gallery.py --ignore=tests/frameworks/test_snntorch_nir.py \
	  --ignore=tests/frameworks/test_round_trips.py $(ARGS)
	PIP_NO_INDEX=1 PYTHONPATH=$(NEW_NIR) $(FRAMEWORKS)/bin/python -m pytest \
	  tests/frameworks/test_round_trips.py $(ARGS)
	$(EXPORTERS)/bin/python -m pytest tests/frameworks/test_snntorch_nir.py \
	  tests/frameworks/test_exporters.py $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_architecture.py
	$(MAKE) wheel

# The wheel is built from the source distribution, so that this is known to be complete.
wheel: $(VENV)/dev.stamp
	rm -rf dist
	$(BIN)/python -m build --outdir dist . > /dev/null
	$(BIN)/python tools/check_wheel.py dist/*.whl

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks $(ARGS)

# Brian2 2.9 does not run on numpy 2.4, so the simulators get an environment of their own. Not every
# system has a build of each; those that are missing are named and left out.
$(PEERS)/stamp: pyproject.toml tools/install_torch.py | $(BIN)/python
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python tools/install_torch.py
	$(PEERS_PIP) install --quiet "numpy<2.4" --editable ".[torch]"
	-$(PEERS_PIP) install --quiet --no-deps spikingtorch
	-$(PEERS_PIP) install --quiet --no-deps snntorch
	-$(PEERS_PIP) install --quiet "numpy<2.4" nest-simulator
	-$(PEERS_PIP) install --quiet "numpy<2.4" brian2
	-$(PEERS_PIP) install --quiet "numpy<2.4" neuron
	touch $@

bench-peers: $(PEERS)/stamp
	$(PEERS)/bin/python -m benchmarks --peers $(ARGS)

# Rounds of each measurement; MEASURED and PAGE may lie elsewhere, for a try.
ROUNDS ?= 7
FULL ?= yes
MEASURED := docs/performance
PAGE := docs/performance.md
FIGURE := docs/images/performance_growth
MEASURE := --repeat $(ROUNDS) --overwrite --json $(MEASURED)
performance: $(PEERS)/stamp
	mkdir -p $(MEASURED)
	$(PEERS)/bin/python -m benchmarks --peers $(MEASURE)/speed.json
	$(if $(FULL),$(PEERS)/bin/python -m benchmarks --workload W5-full $(MEASURE)/full.json)
	$(PEERS)/bin/python -m benchmarks.conv_layers $(MEASURE)/convolutions.json
	$(PEERS)/bin/python -m benchmarks.shares $(MEASURE)/shares.json
	$(PEERS)/bin/python -m benchmarks.variants $(MEASURE)/variants.json
	$(PEERS)/bin/python -m benchmarks.exactness --overwrite --json $(MEASURED)/exactness.json
	$(PEERS)/bin/python -m benchmarks.cores $(MEASURE)/cores.json
	$(PEERS)/bin/python -m benchmarks.growth $(MEASURE)/growth.json --figure $(FIGURE)
	$(PEERS)/bin/python -m benchmarks.latency --cold-repeat 1 $(MEASURE)/latency.json
	$(PEERS)/bin/python -m benchmarks.page $(MEASURED) --page $(PAGE)

docs: $(VENV)/docs.stamp
	PIP_NO_INDEX=1 $(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

validation: $(VENV)/dev.stamp
	$(BIN)/python -m validation $(ARGS)

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist out docs/_build .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
