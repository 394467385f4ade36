# make demo       two accelerators run a model, side by side: build/compare.html
# make test       style, types, import layers, all tests
# make test-fast  the tests that take seconds
# make fuzz       a million random instructions against qemu-user, 100,000 random words, a million DRAM commands
# make bench      how fast the simulator itself is
# make lint       style, types and import layers alone
# make clean      removes what make made

PYTHON ?= $(shell python3.11 -c 'print("python3.11")' 2>/dev/null || echo python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
JOBS   ?= 2
# as many workers as cores: threads of numpy's BLAS beside them would only wait for each other
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -q

.PHONY: demo test test-fast fuzz bench lint clean

demo: $(READY)
	$(BIN)/archsim compare llama-3-8b --designs edge-npu server-npu --phase decode --context 2048 \
		--weights int4-g128 --html build/compare.html

test: lint
	$(PYTEST)

test-fast: $(READY)
	$(PYTEST) -m "not slow"

fuzz: $(READY)
	ARCHSIM_FUZZ=1 $(BIN)/python -m pytest -q tests/machine/test_random_words.py tests/machine/test_elf.py tests/isa/test_language_fuzz.py \
		tests/validation/test_dram_audit.py
	$(BIN)/python -m tests.fuzz

bench: $(READY)
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The stamp is younger than what it was made from, so that the second time is instant.
$(READY): pyproject.toml constraints.txt
	@echo "Making $(VENV) with $(PYTHON): once, some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
