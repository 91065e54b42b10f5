# make setup        create .venv with the pinned versions, or update it when the pins change
# make demo         set up, run the demo with its report page and Snakemake's report, print the path of the page
# make experiment   look at a folder of photos and write a configuration for it: make experiment PHOTOS=~/photos; to choose its
#                   name, or to replace it: make experiment PHOTOS=~/photos NAME=pets OVERWRITE=1
# make images       make weighted synthetic images of a folder of photos, without an experiment: make images PHOTOS=~/photos
# make test         set up, run all tests except those on SLURM
# make test-slurm   set up, test the workflow and its failures on a temporary SLURM cluster on this machine
# make torture      set up, kill a small run 30 times with `kill -9` and compare its results (3 minutes)
# make lint         set up, check format, style, types and the layers of packages
# make lock         pin the dependencies of pyproject.toml; to upgrade pins that still fit: make lock UPGRADE="numpy ruff"
# make explain      show which jobs would run, and why: make explain CONFIG=config/mine.yaml
# make docs         build the site of docs/ in site/; fails on a broken link
# make bench        set up, measure each stage beside a plain reference loop (20 minutes); stages at full size, with random
#                   weights: make bench CONFIG=config/full_size.yaml
# make demo-models  train the demo's models from scratch (hours; an interrupted run resumes)
# make clean        remove all results of the workflow

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: setup demo experiment images demo-models bench test test-slurm torture lint lock docs explain clean

BIN := .venv/bin
# With a configuration, `make bench` measures its stages at full size; on a GPU: make bench CONFIG=config/full_size_gpu.yaml
CONFIG :=
# A shorter torture with other moments of the kills: make torture KILLS=5 SEED=1
KILLS := 30
SEED := 0
# Your photos, and the name of their configuration (by default that of the folder); OVERWRITE=1 replaces it.
PHOTOS :=
NAME :=
OVERWRITE :=
quoted = '$(subst ','\'',$(value $(1)))'
WRITE = workflow_scripts/write_experiment.py --name $(call quoted,NAME) $(if $(OVERWRITE),--overwrite)
# The environment is updated when the pins change, and only then.
READY := .venv/installed-$(firstword $(shell cksum requirements.txt))
TRAINING := train_judge train_autoencoder train_diffusion train_llama train_dinov2 train_resnet measure_models

setup: $(READY)

$(READY):
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    "$$python" -m venv .venv; break; \
	  fi; \
	done
	@if [ ! -x $(BIN)/python ]; then \
	  echo "No Python 3.11 to 3.13 found. Install one, or pass its path: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; \
	fi
	@if [ -z "$$(command -v cc)" ]; then \
	  echo "No C compiler found, which building llama-cpp-python needs. Install one, on Debian: apt-get install build-essential" >&2; exit 1; \
	fi
	$(BIN)/python -m pip install --requirement requirements.txt
	rm -f .venv/installed-*
	touch $@

demo: $(READY)
	$(BIN)/snakemake --cores all --configfile config/demo.yaml
	@$(MAKE) --no-print-directory results/demo/provenance.html
	@echo
	@echo "The report: $(CURDIR)/results/demo/report.html"

experiment: $(READY)
	@$(BIN)/python $(WRITE) -- $(call quoted,PHOTOS)

images: $(READY)
	@file="$$($(BIN)/python $(WRITE) --images-only -- $(call quoted,PHOTOS))"; \
	$(BIN)/snakemake --cores 1 download_models --configfile "$$file"; \
	$(BIN)/snakemake --cores all export_dataset --configfile "$$file"; \
	name="$$(basename "$$file" .yaml)"; \
	printf '\nThe images, each with its weight in metadata.csv:\n'; \
	dirname "results/$$name"/export/*/*/*/*/metadata.csv | sed "s|^|$(CURDIR)/|"

results/demo/provenance.html: $(wildcard results/demo/summary/* results/demo/report.html report/*)
	$(BIN)/snakemake --cores 1 --configfile config/demo.yaml --report $@

demo-models: $(READY)
	for program in $(TRAINING); do PYTHONPATH=.:workflow_scripts $(BIN)/python demo/training/$$program.py; done
	$(BIN)/snakemake --cores all --configfile config/demo.yaml
	PYTHONPATH=.:workflow_scripts $(BIN)/python demo/training/measure_parts.py

bench: $(READY)
	PYTHONPATH=.:workflow_scripts $(BIN)/python $(if $(CONFIG),bench/full_size.py --configfile $(CONFIG),-m bench.side_by_side)

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/unit --numprocesses 2 --dist loadfile
	$(BIN)/python -m pytest tests --ignore tests/unit --ignore tests/slurm

test-slurm: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/slurm -rs

torture: $(READY)
	PYTHONPATH=.:workflow_scripts $(BIN)/python tests/torture.py --kills $(KILLS) --seed $(SEED)

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint --configfile config/demo.yaml
	$(BIN)/mypy
	PYTHONPATH=workflow_scripts $(BIN)/lint-imports

# The default is the configuration of `make demo`.
explain: CONFIG := config/demo.yaml
explain: $(READY)
	@$(BIN)/python workflow_scripts/explain_jobs.py --configfile $(CONFIG)

DOCS := .venv-docs/installed-$(firstword $(shell cksum docs/requirements.txt))

# The site has its own environment, since its pins differ from those of the workflow.
$(DOCS): | $(READY)
	$(BIN)/python -m venv .venv-docs
	.venv-docs/bin/python -m pip install --requirement docs/requirements.txt
	rm -f .venv-docs/installed-*
	touch $@

docs: $(DOCS)
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build

lock: $(READY)
	$(BIN)/python tools/lock_requirements.py $(if $(UPGRADE),--upgrade $(UPGRADE))

clean:
	rm -rf results .snakemake
