# Each target sets up what it needs inside .venv, from constraints.txt. PYTHON is any Python of 3.11 or later.
#   make demo    install (small, without torch) and clean fixtures/ into out/
#   make test    install everything and run the tests
# PIP_ARGS goes to pip: an index of CPU builds, for one, spares the CUDA libraries that torch brings on Linux.

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
PIP_ARGS ?=
BENCH_ARGS ?=
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -q $(PIP_ARGS) -c constraints.txt
# Threads of BLAS and of torch: small matrices, and several test processes on a small machine.
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
# Programs that the tests start find their modules compiled.
unexport PYTHONDONTWRITEBYTECODE
# Files of tests side by side in the order of testpaths, one process a core.
PYTEST := $(THREADS) $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
CODE := cleanaudio tests fixtures benchmarks
NETWORKS := fullband fullband-offline mask-lstm conv-tasnet autoencoder

.PHONY: help setup demo test test-data test-slow test-browser lint format type bench fixtures build clean \
	ship-models cards recordings $(NETWORKS:%=train-%) $(NETWORKS:%=ship-%)

help:
	@sed -n 's/^#   //p' Makefile
	@echo "other targets: setup test-data test-slow test-browser lint format type bench fixtures build clean"
	@echo "networks of our own: train-NAME ship-NAME ship-models cards, NAME being one of $(NETWORKS)"

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "cleanaudio needs Python 3.11 or later; $(PYTHON) is older: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# What a user has after installing the program: no torch, no tools.
.venv/.demo: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	$(INSTALL) -e '.[deepfilternet]'
	@touch .venv/.demo

# Everything. PESQ comes as C source: where there is no compiler the tests that compare with it are left out.
.venv/.test: pyproject.toml constraints.txt | .venv/pyvenv.cfg
	$(INSTALL) -e '.[torch,formats,deepfilternet,rnnoise,live,metrics,plots,impact,dev]'
	$(INSTALL) --no-deps resemblyzer
	@$(INSTALL) pesq || echo "make: pesq needs a C compiler to install; its tests will be skipped" >&2
	@touch .venv/.demo .venv/.test

setup: .venv/.test

demo: .venv/.demo
	$(BIN)/cleanaudio denoise fixtures --recursive -o out --overwrite
	@$(BIN)/python -m benchmarks.show out/metrics.csv

test: .venv/.test
	$(PYTEST) -m "not data and not browser and not slow"

test-data: .venv/.test
	@test -n "$$CLEANAUDIO_DATA" -a -d "$$CLEANAUDIO_DATA/dev" || \
		{ echo "make test-data: set CLEANAUDIO_DATA to the folder of recordings (one that holds dev/)" >&2; exit 1; }
	$(PYTEST) -m data

test-slow: .venv/.test
	$(PYTEST) -m "slow and not data"

test-browser: .venv/.test
	$(PYTEST) -m browser

lint: .venv/.test
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/lint-imports

format: .venv/.test
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

type: .venv/.test
	$(BIN)/mypy

# BENCH_ARGS="--quick" for a taste, CLEANAUDIO_DATA for the table of quality.
bench: .venv/.test
	@for what in startup throughput workers memory dnsmos scoring arrays dereverb locate quality; do \
		$(BIN)/python -m benchmarks.$$what $(BENCH_ARGS) || exit 1; \
	done

fixtures: .venv/.test
	$(BIN)/python fixtures/make.py

# Networks of our own, from the recordings that CLEANAUDIO_DATA names, into RUNS/NAME; TRAIN_ARGS="--resume" goes on,
# TRAIN_ARGS="--device cuda" takes a GPU. MALLOC_*: large tensors come back from the heap instead of the kernel each time.
RUNS ?= runs
TRAIN_ARGS ?=
EXPORT_ARGS ?= --half --level
MALLOC := MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184
HEARD = $(foreach what,speech noise rir,--$(what) "$(CLEANAUDIO_DATA)/train/$(what)")

PAIRS = pairs-16k
train-fullband: PAIRS = pairs-48k
train-fullband-offline: PAIRS = pairs-48k
ship-fullband: PAIRS = pairs-48k
ship-fullband-offline: PAIRS = pairs-48k
# It begins with the weights of fullband.
train-fullband-offline: START = $(if $(findstring --resume,$(TRAIN_ARGS)),,--start-from cleanaudio/models/fullband.onnx)
# Short training leaves them unsure, and what they are unsure of too soft.
ship-conv-tasnet: EXPONENT = --exponent 0.65
ship-autoencoder: EXPONENT = --exponent 0.4

$(NETWORKS:%=train-%): train-%: .venv/.test recordings
	$(MALLOC) $(BIN)/cleanaudio train $* $(HEARD) --dev "$(CLEANAUDIO_DATA)/dev/$(PAIRS)" --cache "$(RUNS)/cache" \
		-o "$(RUNS)/$*" $(START) $(TRAIN_ARGS)

# The models of the wheel out of the runs.
$(NETWORKS:%=ship-%): ship-%: .venv/.test recordings
	$(THREADS) $(BIN)/cleanaudio export "$(RUNS)/$*" -o cleanaudio/models/$*.onnx --overwrite $(HEARD) \
		--dev "$(CLEANAUDIO_DATA)/dev/$(PAIRS)" $(EXPONENT) $(EXPORT_ARGS)
	@$(CARDS)

ship-models: $(NETWORKS:%=ship-%)
	$(BIN)/cleanaudio models verify $(NETWORKS)

# Hashes, and the card of each model beside it.
CARDS = cd cleanaudio/models && sha256sum *.onnx > SHA256SUMS && for model in *.onnx; do \
	"$(abspath $(BIN))/cleanaudio" models card $$model > $${model%.onnx}.md || exit 1; done

cards: .venv/.test
	@$(CARDS)

recordings:
	@test -n "$$CLEANAUDIO_DATA" -a -d "$$CLEANAUDIO_DATA/train" || \
		{ echo "make: set CLEANAUDIO_DATA to the folder of recordings (one that holds train/ and dev/)" >&2; exit 1; }

# The wheel, and proof that it stands in a bare environment.
build: .venv/.test
	rm -rf dist build/bare
	$(BIN)/python -m build
	$(PYTHON) -m venv build/bare
	build/bare/bin/python -m pip install --disable-pip-version-check -q $(PIP_ARGS) -c constraints.txt dist/*.whl
	cd build && bare/bin/cleanaudio --help >/dev/null && bare/bin/cleanaudio backends >/dev/null
	@ls dist

clean:
	rm -rf .venv out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
