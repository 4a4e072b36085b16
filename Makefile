# Everything here sets itself up: a fresh machine needs Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin
RESULTS ?= results
OUT ?= paper
CAMPAIGN ?=

export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Where it is set, as in many containers, every process of the tests compiles all of the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: quickstart check lint quick test fuzz faults bench paper clean

quickstart: $(VENV)/.installed  ## run sweeps/quickstart.yaml here and print its table
	$(BIN)/noisebench run sweeps/quickstart.yaml --results $(RESULTS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: $(VENV)/.installed-test  ## the inner loop: lint, types, layers beside the quick tests
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint quick

quick: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not slurm"

test: check  ## everything: what starts Ray or Slurm runs one test at a time, beside the other slow tests
	$(BIN)/python -m pytest -v -n 2 --dist loadscope --durations 25 -m "slow or slurm"

fuzz: $(VENV)/.installed-test  ## random input for all that reads files or SQL: 100,000 of each kind, a few hours
	$(BIN)/python -m tests.fuzz --inputs 100000

faults: $(VENV)/.installed-test  ## random faults of a cluster for 30 minutes (CAMPAIGN="--minutes 5 --seed 1"); then errors of the file system at every system call
	$(BIN)/python -m tests.slurm.campaign $(CAMPAIGN)
	$(BIN)/python -m tests.storage_faults

bench: $(VENV)/.installed-test  ## speed, each row beside its peer in the same run
	$(BIN)/python -m benchmarks.table

paper: $(VENV)/.installed  ## tables, figures, claims, cost, comparison, report from RESULTS into OUT
	$(BIN)/python -m analysis.tables --results $(RESULTS) --out $(OUT)/tables --tied
	$(BIN)/python -m analysis.figures --results $(RESULTS) --out $(OUT)/figures
	$(BIN)/python -m analysis.claims --results $(RESULTS) --out $(OUT) >/dev/null
	$(BIN)/python -m analysis.detectors --results $(RESULTS) --out $(OUT) >/dev/null
	$(BIN)/python -m analysis.cost --results $(RESULTS) --out $(OUT) >/dev/null
	$(BIN)/python -m analysis.compare --results $(RESULTS) --out $(OUT) --exit-zero >/dev/null
	$(BIN)/python -m analysis.report --results $(RESULTS) --out $(OUT)

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "noisebench needs Python 3.11 or later; say which: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
