# `make demo` and `make test` are all that a fresh machine needs.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo assets test slow lint bench screenshots clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[all]" --group dev
	touch $@

demo: .venv/installed  ## train the convolutional autoencoder on MNIST and draw the figure
	$(BIN)/isthmus train mnist --model convolutional --random-state 0 --out out/demo --overwrite

assets: .venv/installed  ## load ONNX Runtime for browsers from npm, for `isthmus explore --export`
	$(BIN)/python -m isthmus.explorer.runtime

test: .venv/installed  ## every test but the slow ones
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal --quiet

slow: .venv/installed  ## the slow tests
	$(BIN)/pytest -m slow

lint: .venv/installed  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed  ## measure what README and docs state
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.linear
	$(BIN)/python -m benchmarks.quality
	$(BIN)/python -m benchmarks.imputation
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.growth

screenshots: .venv/installed  ## the pictures of pages in docs; wants chromium
	$(BIN)/python -m benchmarks.screenshots
	$(BIN)/python -m benchmarks.explorer

clean:
	rm -rf .venv out
