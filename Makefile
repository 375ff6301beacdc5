# Everything runs from .venv/, which `make setup` makes in the checkout.

PYTHON_VENV := .venv/bin/python

.PHONY: demo test setup test-matrix oclgrind boards backend test-arm64 fresh

demo: setup  ## train a small CNN on this machine's OpenCL device, export it, run it
	@.venv/bin/clnet demo

test: setup  ## lint, types, tests
	$(PYTHON_VENV) -m ruff check .
	$(PYTHON_VENV) -m mypy
	$(PYTHON_VENV) -m pytest -n auto

setup:
	@scripts/setup

test-matrix: setup  ## op tests and goldens on every OpenCL implementation
	scripts/test-matrix

oclgrind: setup  ## every kernel under a data-race and bounds checker
	scripts/oclgrind

boards: setup  ## compile and launch for board GPUs that are not here
	scripts/boards

backend: setup  ## ONNX's own node tests
	scripts/backend

test-arm64:  ## the set-up and chosen tests on an emulated ARM board (root; slow)
	scripts/test-arm64

fresh:  ## the set-up on fresh Debian machines, with root and without (root)
	scripts/fresh
