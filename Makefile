# make demo    from nothing to a trained network: environment, packages, one training through the emulator
# make test    from nothing to all tests passed
# make check   ruff, mypy, spelling, packages that fit each other, and the wheel: built, installed into empty
#              environments, and at work in an empty folder; no tests
# make upgrade the newest packages that requirements.txt allows, written to constraints.txt; then run make check test
# make clean   removes the environment and what can be made again; models/ and the journal stay
#
# PYTHON  the interpreter the environment is made with (3.11 or newer)
# INDEX   another package index, e.g. one with CPU builds of torch: make demo INDEX=https://download.pytorch.org/whl/cpu
# ARGS    more for the demo or the tests: make test ARGS="-k bundle"

PYTHON ?= python3
INDEX ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
EXTRA := $(if $(INDEX),--extra-index-url $(INDEX))
# uv stops at the first index that has a package at all; pip looks through them all.
UV_EXTRA := $(if $(INDEX),$(EXTRA) --index-strategy unsafe-best-match)

# Two workers of one thread each: on two cores, more would wait for each other. A file's tests share what is made once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# uv takes a fifth of pip's time and compiles the packages once, which every later start is quicker for.
define install
	if $(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"; \
	then $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode $(UV_EXTRA) $(2) --editable '$(1)'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(EXTRA) $(2) --editable '$(1)'; fi
endef
# The versions that the tests ran with. Whoever installs without make gets the ranges of requirements.txt.
TESTED := --constraint constraints.txt

.PHONY: demo test check wheel upgrade clean

demo: $(VENV)/.installed
	$(BIN)/python -m scripts loop --remote emulator --name demo $(ARGS)

test: $(VENV)/.installed-dev
	$(PYTEST) $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files '*.py' '*.md' '*.toml' '*.txt' Makefile .ci/run | xargs $(BIN)/codespell
	$(BIN)/python -m pip check --disable-pip-version-check
	$(MAKE) --no-print-directory wheel

# What `pip install` of the wheel gives, and what a machine has that only predicts: each in an environment of its own,
# at work in an empty folder, so that nothing of this one can help.
wheel: $(VENV)/.installed-dev
	rm -rf build/lib build/bdist.* build/wheel
	$(BIN)/uv build --quiet --wheel --out-dir build/wheel .
	$(BIN)/uv venv --quiet --python $(BIN)/python build/wheel/env
	$(BIN)/uv pip install --quiet --python build/wheel/env/bin/python $(UV_EXTRA) $(TESTED) build/wheel/*.whl
	$(BIN)/python -m tests.installed build/wheel/env/bin/k2l
	$(BIN)/uv venv --quiet --python $(BIN)/python build/wheel/few
	$(BIN)/uv pip install --quiet --python build/wheel/few/bin/python --no-deps build/wheel/*.whl
	$(BIN)/uv pip install --quiet --python build/wheel/few/bin/python $(TESTED) -r local/requirements.txt
	$(BIN)/python -m tests.installed --predict build/wheel/few/bin/k2l
	rm -rf build/wheel

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt constraints.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the packages into $(VENV) (a few minutes and 8.5 GB with the GPU build of torch) …"
	@$(call install,.,$(TESTED))
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(call install,.[dev],$(TESTED))
	@touch $@

upgrade:
	rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(call install,.[dev])
	echo "# The versions that the tests ran with: written by make upgrade, installed by make." > constraints.txt
	$(BIN)/python -m pip freeze --disable-pip-version-check --exclude-editable >> constraints.txt
	touch $(VENV)/.installed $(VENV)/.installed-dev

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache *.egg-info
