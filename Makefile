# `make test` and `make bench` need Python 3.11 to 3.13, make and git, and nothing else; `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Python is started by the hundred here: where it may not keep what it compiled, each compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The Python of .venv: unset, the newest of 3.11 to 3.13 on PATH that has `venv`.
PYTHON ?=
BIN := .venv/bin
ENV := .venv/.made
OUT := cdpipe-out/bench
# Three processes unless said otherwise: on two cores they wait for others a quarter of their time, and each takes 0.4 GB.
JOBS ?= 3
# What asv calls the machine (its host name); those of continuous integration have another name each night.
MACHINE ?=

# How many samples `asv run` takes: of the quick suite few, of the full one what each benchmark says.
ASV ?=

# The commit that `make compare` holds HEAD against (where HEAD left its branch), and further options of `cdpipe compare`.
BASE ?=
COMPARE ?=

# `make gate-proof`: hours after which nothing is begun; run again, it goes on where it ended.
HOURS ?= 12

# What `make peers` measures: messages, those of whole jobs, rounds, a comma-separated list of stages (all), and the file
# it writes (none).
ROWS ?= 5000000
JOB_ROWS ?= 15000000
REPEATS ?= 5
STAGES ?=
JSON ?=

# What `make ground-truth` measures: runs of each workload, a part of their names (all), and 1 beside a busy core alone,
# 0 on an idle machine alone (both).
RUNS ?= 5
ONLY ?=
BUSY ?=

# `make torture`: 1 for five minutes of it, the seed of what is random (the time), kinds by a part of their names (ONLY).
QUICK ?=
SEED ?=

# `make fuzz`: minutes for all readers together, some of them with commas between (all), and 1 to keep what is new.
MINUTES ?= 60
READER ?=
KEEP ?=

.PHONY: help test test-all lint bench bench-full compare gate-proof regressions bisect peers ground-truth torture fuzz docs dist notebook clean

help:
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 14

# Looked at each time: its interpreter may be gone, or a pin new.
.PHONY: $(ENV)
$(ENV):
	@PYTHON='$(PYTHON)' .ci/environment

lint: $(ENV)  ## ruff, codespell, mypy and the import contracts
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell cdpipe benchmarks docs *.md
	$(BIN)/mypy
	$(BIN)/lint-imports

# The tests of kernels run beside lint, in one process: those after them find the machine code on disk. Tests that measure
# are next, a file a process: threads that others left behind would be seen. The last line is of those that do not. All
# run whatever fails; status 5 is of a file without a test to run.
define run-tests
failed=0
heard=$$(mktemp)
$(BIN)/pytest -q -m "not measuring$(1)" $(2) tests/kernels >"$$heard" 2>&1 &
kernels=$$!
$(MAKE) lint || failed=1
wait $$kernels || failed=1
cat "$$heard"
rm "$$heard"
for file in $$(grep -rl --include='test_*.py' 'mark\.measuring' tests); do
  $(BIN)/pytest -q -m "measuring$(1)" $(2) "$$file" || [ $$? -eq 5 ] || failed=1
done
$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not measuring$(1)" $(2) --ignore tests/kernels || failed=1
exit $$failed
endef

test: $(ENV)  ## lint, then the tests that are not marked slow
	@$(call run-tests, and not slow)

test-all: $(ENV)  ## lint, then every test, with five times the random examples: for the night
	@$(call run-tests,,--hypothesis-profile=full)

bench: SUITE := quick
bench: ASV := -a rounds=1 -a repeat=3,6,0.5 $(ASV)
bench: bench-suite  ## synthetic data, a run, the quick suite on HEAD, the site and the bottleneck report

bench-full: SUITE := full
bench-full: bench-suite  ## the same with every size, 10M and 15M rows too: takes long

.PHONY: bench-suite
bench-suite: $(ENV)
	@export PATH="$$PWD/$(BIN):$$PATH"
	git rev-parse --verify --quiet HEAD >/dev/null 2>&1 || { echo "asv measures commits, and there is none yet: run git init, git add --all and git commit -m all first"; exit 1; }
	test -z "$$(git status --porcelain)" || echo "The working tree has changes: measured is HEAD, $$(git rev-parse --short HEAD), without them."
	mkdir -p $(OUT)
	cdpipe synth --rows 1e5 --out $(OUT)/messages.csv
	printf '%s\n' '[input]' 'paths = ["$(OUT)/messages.csv"]' '[cache]' 'enabled = false' '[output]' 'directory = "$(OUT)/run"' >$(OUT)/run.toml
	cdpipe run $(OUT)/run.toml
	python -m benchmarks data $(SUITE) >/dev/null
	machine=$$(python -m benchmarks machine '$(MACHINE)')
	failed=0
	python -m benchmarks watch $(OUT)/others.txt \
	  asv run --machine "$$machine" --record-samples --show-stderr $(ASV) --bench "$$(python -m benchmarks select $(SUITE))" 'HEAD^!' </dev/null || failed=$$?
	asv publish --no-pull
	cdpipe bottlenecks --results .asv/results --commit "$$(git rev-parse HEAD)"
	echo
	echo "Made in $$SECONDS s, of commit $$(git rev-parse --short HEAD):"
	echo "  .asv/html                               the site: asv preview, then open the address that it prints"
	echo "  .asv/html/bottlenecks/bottlenecks.md    the whole report (index.html and .json beside it)"
	echo "  .asv/results                            the samples"
	echo "  $(OUT)/run                    one run of the pipeline: report.json, pictures, labelled data"
	cat $(OUT)/others.txt
	python -m benchmarks disturbed "$$(git rev-parse HEAD)"
	exit $$failed

# The verdict's statistics and exit statuses: docs/gate.md. The comment for a pull request is written beside the figures.
compare: $(ENV)  ## HEAD against BASE (where HEAD left its branch), side by side; fails if something got slower or larger
	@export PATH="$$PWD/$(BIN):$$PATH"
	python -m benchmarks data gate >/dev/null
	mkdir -p $(OUT)
	cdpipe compare $(BASE) --json $(OUT)/compare.json --markdown $(OUT)/compare.md $(COMPARE) </dev/null

regressions: $(ENV)  ## steps upwards in history, as the site that `make bench` published has them; fails if one is new
	@$(BIN)/python -m benchmarks regressions

bisect: $(ENV)  ## the commit since which a benchmark is slower or larger: BENCH='clean.Spatial.time_run' BASE=v1 HEAD=main
	@export PATH="$$PWD/$(BIN):$$PATH"
	python -m benchmarks bisect '$(BENCH)' '$(BASE)' '$(or $(HEAD),HEAD)'

gate-proof: $(ENV)  ## false alarms and found slowdowns of `make compare`, beside asv's: QUICK=1 HOURS=12 ONLY=equal JSON=FILE
	@export PATH="$$PWD/$(BIN):$$PATH"
	python -m benchmarks data gate >/dev/null
	python -m tests.gate_proof --quick '$(QUICK)' --hours '$(HOURS)' --only '$(ONLY)' --json '$(JSON)'

# polars and DuckDB are of no use elsewhere, so they are fetched when this is first asked for.
peers: $(ENV)  ## cdpipe beside polars, DuckDB and pandas: ROWS=5e6 JOB_ROWS=15e6 REPEATS=5 STAGES=job,clean JSON=FILE
	@$(BIN)/python -c 'import duckdb, polars' 2>/dev/null || \
	  PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,peers]'
	$(BIN)/python -m benchmarks peers --rows '$(ROWS)' --job-rows '$(JOB_ROWS)' --repeats '$(REPEATS)' --stages '$(STAGES)' --json '$(JSON)'

ground-truth: $(ENV)  ## runs of known bottleneck, and whether they are named right: RUNS=5 ONLY=disk/ BUSY=1 JSON=FILE
	@$(BIN)/python -m tests.ground_truth --runs '$(RUNS)' --only '$(ONLY)' --busy '$(BUSY)' --json '$(JSON)'

torture: $(ENV)  ## kills, lost workers, flipped bits, full disks, and what came of each: QUICK=1 SEED=1 ONLY=flips
	@$(BIN)/python -m tests.torture --quick '$(QUICK)' --seed '$(SEED)' --only '$(ONLY)'

# atheris is of no use elsewhere either.
fuzz: $(ENV)  ## coverage-guided fuzzing of the readers: MINUTES=60 READER=csv,json,trace,table,parquet,packed,times,config KEEP=1
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
	  PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,fuzz]'
	$(BIN)/python -m tests.fuzz --minutes '$(MINUTES)' --reader '$(READER)' $(if $(KEEP),--keep)

# The documentation site, in .site; a warning is an error.
docs: $(ENV)  ## the documentation site, in .site/docs
	@$(BIN)/python -c 'import sphinx, furo' 2>/dev/null || \
	  PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,docs]'
	$(BIN)/sphinx-build -q -W --keep-going -b html docs .site/docs

# nbclient and a kernel are of no use elsewhere.
notebook: $(ENV)  ## the example notebook in a real kernel: its progress, tables and pictures
	@$(BIN)/python -c 'import ipykernel, nbclient' 2>/dev/null || \
	  PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,notebook]'
	$(BIN)/pytest -q tests/test_example_notebook.py

# What a release is: a wheel and a source distribution, checked, and the commands of README from the second.
dist: $(ENV)  ## wheel and source distribution in dist/, checked
	@rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

clean:  ## remove what make made, environments too
	@rm -rf .venv .asv .site cdpipe-out build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
