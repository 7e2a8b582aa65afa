# make demo: train, export and sample MNIST. make test: lint, types, every test. Both share one .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_IMAGES ?= 100000

.PHONY: demo test install clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cpu,train,dev]'
	@touch $@

# One thread: a minute or two on any machine, busy or not. A demo that was stopped goes on where it stopped; a finished
# one is not trained again (make clean forgets it).
demo: install
	@if [ -d runs/demo ]; then $(BIN)/gan-train --resume runs/demo; \
	else $(BIN)/gan-train mnist --images $(DEMO_IMAGES) --threads 1 --name demo; fi
	$(BIN)/gan-export runs/demo --opset 17
	$(BIN)/gan-sample --n 64 out.png

# Two tests at a time, each with one thread: what a machine of two cores does in the least time. Tests of a file stay
# together, for what they share, until one core has none left.
test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

clean:
	rm -rf $(VENV) runs/demo exported/demo.onnx out.png .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
