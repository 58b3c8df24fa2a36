# make demo    from nothing to a trained network: environment, packages, one training through the emulator
# make test    from nothing to all tests passed
# make check   ruff, mypy and the fast tests
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
	then $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode $(UV_EXTRA) --editable '$(1)'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(EXTRA) --editable '$(1)'; fi
endef

.PHONY: demo test check clean

demo: $(VENV)/.installed
	$(BIN)/python -m scripts loop --remote emulator --name demo $(ARGS)

test: $(VENV)/.installed-dev
	$(PYTEST) $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow" $(ARGS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the packages into $(VENV) (a few minutes and 8.5 GB with the GPU build of torch) …"
	@$(call install,.)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(call install,.[dev])
	@touch $@

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache *.egg-info
