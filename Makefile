# Prepares the environment and calls `ganymede` or the test tools; nothing else happens here.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo up test faults fuzz bench-learning bench-digits bench-training bench-serving clean

help:
	@echo 'make demo            train on handwritten digits for a minute and look at the result in demo/'
	@echo 'make up              serve at http://127.0.0.1:8000 until Ctrl-C; data in data/'
	@echo 'make test            lint, types, import contracts and all tests'
	@echo 'make faults          hours: does every harm of docs/reliability.md, short and long, and shows what became of it'
	@echo 'make fuzz            an hour and a half: the API, the readers of files and the HTTP front, fuzzed at length'
	@echo 'make bench-learning  hours: how well all recipes learn a grid and a ring of Gaussians'
	@echo 'make bench-training  minutes: what the trainer costs, and images a second'
	@echo 'make bench-serving   minutes: requests a second, beside the bare generator (needs wrk; peers: see the module)'
	@echo 'make bench-digits    half an hour: all recipes on digits, for the same seconds, with as many parameters'
	@echo 'make clean           remove .venv, caches and demo/ (data/ stays)'

demo: .venv/run.stamp
	@$(BIN)/ganymede demo

up: .venv/run.stamp
	@$(BIN)/ganymede up

test: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -m 'not alone' -n 2 --dist loadfile
	OMP_NUM_THREADS=1 $(BIN)/pytest -m alone

faults: .venv/test.stamp
	@mkdir -p build && rm -f build/faults.md
	OMP_NUM_THREADS=1 GANYMEDE_FAULT_TABLE=build/faults.md $(BIN)/pytest tests/faults -m 'faults_long or not faults_long'; ended=$$?; \
	cat build/faults.md; exit $$ended

fuzz: .venv/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/pytest -m fuzz_long tests/fuzz

bench-learning: .venv/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.learning.points

bench-training: .venv/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.training.overhead
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.training.execution
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.training.images_per_second --stock
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.training.images_per_second --blocks 3 --batch 16

bench-digits: .venv/test.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.learning.recipes

bench-serving: .venv/test.stamp
	$(BIN)/python -m benchmarks.serving.compare

clean:
	rm -rf .venv demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Ganymede needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@echo 'making .venv'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/run.stamp: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'installing Ganymede into .venv (PyTorch is large: minutes, once)'
	@$(PIP) --editable '.[server,demo]'
	@touch $@

.venv/test.stamp: pyproject.toml constraints.txt | .venv/bin/python
	@echo 'installing Ganymede and its test tools into .venv (PyTorch is large: minutes, once)'
	@$(PIP) --editable '.[server,demo,dev]'
	@touch $@
