PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
BENCH = $(BIN)/python -m pytest tests/benchmarks --benchmark-enable --benchmark-only -p no:xdist
# One thread a process: N tests or cells side by side then use N cores.
export OMP_NUM_THREADS := 1

.PHONY: quick test torture simulations check gate bench bench-save bench-compare real clean help

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

quick: $(VENV)/installed  ## Install, run the quick suite (synthetic data), write its leaderboard
	$(BIN)/harness run suites/quick.toml

test: $(VENV)/installed  ## Install, run all tests
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

torture: $(VENV)/installed  ## The tests that kill and race processes, in their long form
	HARNESS_TEST_KILLS=$${HARNESS_TEST_KILLS:-100} \
	HARNESS_TEST_RACES=$${HARNESS_TEST_RACES:-500} \
	$(BIN)/python -m pytest -s tests/execution/test_killing.py tests/execution/test_racing.py

simulations: $(VENV)/installed  ## How often intervals hold what they should, in 1,500 studies of each kind
	HARNESS_TEST_SIMULATIONS=$${HARNESS_TEST_SIMULATIONS:-1500} \
	$(BIN)/python -m pytest -s -n auto tests/statistics/test_coverage.py

check: $(VENV)/installed  ## Lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gate: $(VENV)/installed  ## Run the quick suite afresh; fail if it fell behind leaderboard/quick.json
	$(BIN)/python -m pytest -p no:xdist -o timeout=0 --harness-suite suites/quick.toml $(GATE)

bench: $(VENV)/installed  ## Micro-benchmarks of the loop, the meter and the data path
	$(BENCH)

bench-save: $(VENV)/installed  ## The same, kept as this machine's baseline
	$(BENCH) --benchmark-save=baseline

bench-compare: $(VENV)/installed  ## The same, beside the last baseline; fails if a median is 1.5 times as long
	$(BENCH) --benchmark-compare --benchmark-compare-fail=median:50%

real: $(VENV)/installed  ## Train on the real recordings in HARNESS_DATA (about 70 minutes)
	$(BIN)/harness run suites/dbpd-small.toml
	$(BIN)/harness run suites/lottery-small.toml
	$(BIN)/harness run suites/distillation-small.toml
	$(BIN)/python scripts/readme_leaderboard.py

clean:  ## Remove the environment and caches of tools
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
