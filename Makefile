# Each goal makes the environment it needs; on a fresh machine `make train` or `make test` is
# the only command. PYTHON=python3.12 make ... chooses the interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Each line of installation is held to the tested versions, or a newer torch slips in.
INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help train test notebooks slow faults fuzz lint benchmark guards effects kill-chain lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

train: $(INSTALLED)  ## train on the synthetic drive, in minutes on a CPU: runs/demo
	$(BIN)/selfsup-depth train --config conf/demo.yaml --run runs/demo --overwrite

test: lint  ## everything that must hold: ruff, mypy, pytest
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

notebooks: $(INSTALLED_DEV)  ## the four notebooks, from the first cell to the last
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbmake --nbmake-timeout=600 notebooks

slow: $(INSTALLED_DEV)  ## what takes minutes of training to see
	$(BIN)/python -m pytest -m slow

faults: $(INSTALLED_DEV)  ## 64 faults of data, options, checkpoints and runs, each against the command from outside
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python -m faults

N ?= 100000
fuzz: $(INSTALLED_DEV)  ## damaged input for every reader: make fuzz N=1000000
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python -m faults.fuzz -n $(N)

lint: $(INSTALLED_DEV)  ## ruff and mypy alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

kill-chain: $(INSTALLED_DEV)  ## runs killed at random moments end as if they never were; signals, too
	OMP_NUM_THREADS=1 $(BIN)/python tests/faults/kill_chain.py --chains 20 --saves 200
	OMP_NUM_THREADS=1 $(BIN)/python tests/faults/signal_rounds.py --rounds 5

lock: $(INSTALLED_DEV)  ## requirements.lock: the tested versions, each file by its hash
	$(BIN)/python tools/lock_requirements.py

benchmark: $(INSTALLED_DEV)  ## speed and memory of the parts against the published way, into benchmarks/results
	$(BIN)/python -m benchmarks

guards: $(INSTALLED_DEV)  ## what the guards of a run cost, and whether a run grows over 5,000 steps
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.guards
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.growth

effects: $(INSTALLED_DEV)  ## what loss terms are for: an hour of training with and without them
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.term_effects

clean:  ## remove what was made: environment, caches, runs stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp is written when all before it went well, so an interrupted installation is repeated.
$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed; make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(INSTALLED): $(VENV)/.created setup.cfg pyproject.toml constraints.txt
	$(INSTALL) -e .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(INSTALL) -e '.[dev,notebooks]'
	@touch $@
