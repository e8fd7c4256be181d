# Each target sets up what is missing in .venv first. README.md says how to do without make.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
DATA ?=
OUT ?= out/quickstart

.PHONY: lab quickstart notebooks solutions site page docs bundle links check style types fast test test-integration test-full bench bench-compare clean

$(VENV)/.ready: pyproject.toml requirements.lock
	$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11), 'slimlab needs Python 3.11 or newer'"
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet -c requirements.lock -e '.[dev]'
	# its losses check ours; without what it depends on (torchvision, lightning), of which they need nothing
	$(PY) -m pip install --quiet --no-deps lightly==1.6.0
	touch $@

lab: $(VENV)/.ready
	$(PY) -m slimlab lab notebooks/00_quickstart.ipynb

quickstart: $(VENV)/.ready
	SLIMLAB_DATA="$(DATA)" $(PY) notebooks/execute.py notebooks/00_quickstart.ipynb $(OUT)

notebooks: $(VENV)/.ready
	$(PY) notebooks/build.py

solutions: $(VENV)/.ready
	$(PY) notebooks/build.py --solutions out/solutions

site: $(VENV)/.ready
	failed=0; $(PY) notebooks/website.py out/site || failed=1; $(PY) notebooks/links.py out/site && exit $$failed

page: $(VENV)/.ready
	$(PY) notebooks/browser_page.py out/slim.html

docs: $(VENV)/.ready
	$(PY) -m mkdocs build --strict

bundle: $(VENV)/.ready
	$(PY) notebooks/bundle.py out/classroom

links: $(VENV)/.ready
	$(PY) notebooks/links.py

check: style types

style: $(VENV)/.ready
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	$(PY) notebooks/build.py --check

types: $(VENV)/.ready
	$(VENV)/bin/pyright --pythonpath $(PY)

# types are checked beside the tests: pyright takes as long as all other checks together, on one core
test: style
	$(MAKE) --no-print-directory --jobs 2 types fast

fast: $(VENV)/.ready
	$(PY) -m pytest -n 2 --dist loadfile

test-integration: $(VENV)/.ready
	$(PY) -m pytest -n 2 --dist loadfile -m "integration and not full"

# in groups; goes on after the last one that passed (see .ci/full); ONLY="kills rest" runs these alone
ONLY ?=
test-full: $(VENV)/.ready
	.ci/full $(PY) $(ONLY)

# the tables go to docs/performance.md by benchmarks/write_performance.py
BENCHES := startup.py views.py encoder.py step.py profile_step.py "profile_step.py --preset tiny --steps 20" processes.py \
	widgets.py data.py scaling.py evaluation.py

bench: $(VENV)/.ready
	failed=0; for b in $(BENCHES); do set -- $$b; test -f benchmarks/$$1 || continue; \
		echo "== $$b"; $(PY) benchmarks/$$b || failed=1; done; exit $$failed
	test -z "$(DATA)" || $(PY) benchmarks/utd_table.py $(DATA)

# this version beside an earlier one, in turns
BASE ?= HEAD~1
bench-compare: $(VENV)/.ready
	$(PY) benchmarks/compare.py $(BASE)

clean:
	rm -rf $(VENV) out runs .pytest_cache .ruff_cache .hypothesis
