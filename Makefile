# Two commands for everybody: `make benchmark` and `make test`. Nothing else needs to be set up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
TASK ?= water/iid
# Seconds of predicting a trajectory, above which a model that is not archived has no spectrum.
PATIENCE ?= 300

export DVC_NO_ANALYTICS := 1

.PHONY: benchmark test lint wheel benchmarks data site clean

# What is measured here goes to reports/: rows and tables of the repository stay as they are.
benchmark: data  ## score the shipped models on real water: table, report, leaderboard page
	$(BIN)/aptbench run $(TASK) --archive reports/results --patience $(PATIENCE)
	$(BIN)/aptbench board build --results reports/results --out reports/leaderboard
	@echo "report: reports/; page of this run: reports/leaderboard/index.html; all tasks: leaderboard/site/index.html"

test: data  ## the test suite on $(JOBS) cores
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

lint: $(VENV)/.installed  ## formatting, lint, types, layers, citation file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cffconvert --validate

wheel: data  ## build the wheel, install it without extras, evaluate with it
	bash tests/wheel.sh $(BIN)/python

benchmarks: data  ## timings, by pytest-benchmark
	$(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only

data: $(VENV)/.installed  ## the data sets and weights, from the remote inside the repository
	$(BIN)/dvc pull --quiet

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch -c constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,test,dev]' -c constraints.txt
	touch $@

clean:
	rm -rf $(VENV) reports dist build
