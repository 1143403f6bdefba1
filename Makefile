# `make` alone lists what there is. A machine needs Python >= 3.11 with venv, make, and a package
# index; everything else is put into .venv, and all state into var/.

PYTHON ?= python3
IMAGE ?=
INT8 ?=
BASE ?= HEAD~1
AUDIT ?=
FUZZ_SECONDS ?= 600

BIN := .venv/bin
INSTALLED := .venv/.installed
# A bucket, or a path that make cannot name, is left to `petiole models install`.
STORE := $(or $(PETIOLE_MODELS_STORE_URL),var/models)
MODEL := $(if $(or $(findstring ://,$(STORE)),$(word 2,$(STORE))),,$(STORE)/imagenet/1/card.json)
CACHES := .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
PEER := var/peers/relier
BENCH_PEERS := $(patsubst benchmarks/peers/%/requirements.lock,var/peers/%/.installed,$(wildcard benchmarks/peers/*/requirements.lock))
ROOMS := api tasks model_store training petiole tests benchmarks chaos supply

# Prints "ok" under a usable interpreter; Debian ships venv without ensurepip.
TRY_PYTHON := import ensurepip, sys; print("ok" if 0x30B <= sys.hexversion >> 16 <= 0x30D else "")
NO_PYTHON = Petiole needs Python 3.11, 3.12 or 3.13 with venv (Debian: python3-venv); $(PYTHON) \
is $(or $(shell $(PYTHON) --version 2>&1),not there). Name another one: make PYTHON=python3.12

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run demo test check format bench bench-peers bench-against swap-bench bulk-bench train-bench pictures screenshots chaos fuzz chaos-peers sbom licences sizes audit lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) $(MODEL) ## install what the lock names and the default model (done by the others)

run: setup ## run the whole service until Ctrl-C: Redis, workers, API, Flower
	@exec $(BIN)/petiole up

demo: setup ## classify pictures and print their labels: make demo [IMAGE="a.jpg b.jpg"]
	@exec $(BIN)/petiole demo $(IMAGE)

test: setup ## run the whole test suite
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

check: $(INSTALLED) ## check format, lint, types and import directions
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(INSTALLED) ## format the code and sort its imports
	@$(BIN)/ruff check --select I --fix .
	@$(BIN)/ruff format .

bench: setup ## measure the service against the bare loop: make bench [IMAGES=folder]
	@$(BIN)/python -m benchmarks.service $(if $(IMAGES),--images $(IMAGES))

bench-peers: setup $(BENCH_PEERS) ## the same beside other servers: make bench-peers [IMAGES=folder] [INT8=folder]
	@$(BIN)/python -m benchmarks.peers --document docs/performance.md $(if $(IMAGES),--images $(IMAGES)) $(if $(INT8),--int8 $(INT8))

bench-against: setup ## measure the service beside that of an earlier commit: make bench-against BASE=commit
	@$(BIN)/python -m benchmarks.against $(BASE) --document docs/performance.md

swap-bench: setup ## measure the latency while a version takes over
	@$(BIN)/python -m benchmarks.swap

bulk-bench: setup ## measure many pictures in one request: make bulk-bench IMAGES=folder
	@$(BIN)/python -m benchmarks.bulk $(if $(IMAGES),--images $(IMAGES)) --document docs/bulk.md

train-bench: setup ## measure training: make train-bench IMAGES=folder-of-folders
	@$(BIN)/python -m benchmarks.training $(IMAGES)

pictures: setup ## write docs/pictures.md anew: make pictures [IMAGES=folder of photographs]
	@$(BIN)/python -m tests.pictures.table --write
	@$(BIN)/python -m tests.pictures.gamuts --write $(if $(IMAGES),--images $(IMAGES))

screenshots: setup ## take the documents' pictures of the page anew; needs Chromium
	@$(BIN)/python -m benchmarks.screenshots

chaos: setup ## hurt the running service in every way and count what became of each picture
	@$(BIN)/python -m chaos --document docs/reliability.md

fuzz: setup ## try hostile pictures and requests and count what became of them: make fuzz [FUZZ_SECONDS=600]
	@$(BIN)/python -m chaos.hostile --seconds $(FUZZ_SECONDS) --document docs/hostile-pictures.md

chaos-peers: setup $(PEER)/.installed ## the same for the services that ours is compared with, and what each costs
	@$(BIN)/python -m chaos --settings relier --document docs/reliability.md
	@$(BIN)/python -m chaos.costs --document docs/reliability.md

sbom: $(INSTALLED) ## write a bill of materials for each image into var/sbom
	@$(BIN)/python -m supply sbom var/sbom

licences: $(INSTALLED) ## write the tables of docs/licences.md anew
	@$(BIN)/python -m supply licences

sizes: $(INSTALLED) ## write into docs/licences.md what the images take on disk
	@$(BIN)/python -m supply sizes

audit: $(INSTALLED) ## look for known weaknesses of what is shipped: make audit [AUDIT="--vulnerability-service osv"]
	@$(BIN)/python -m supply audit $(AUDIT)

lock: $(INSTALLED) ## write requirements/*.lock anew from pyproject.toml
	@UV=$(BIN)/uv requirements/compile.sh

clean: ## remove .venv and caches; the state in var/ stays
	@rm -rf .venv $(CACHES)
	@find $(ROOMS) -name __pycache__ -type d -prune -exec rm -rf {} +

# uv does not read pip's configuration, so an index that is named there is handed on to it.
define USE_INDEX
index="$${UV_DEFAULT_INDEX:-$${UV_INDEX_URL:-$${PIP_INDEX_URL:-$$( \
	$(BIN)/python -m pip config get global.index-url 2>/dev/null)}}}"; \
if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
if [ ! -t 2 ]; then quiet=--quiet; fi
endef

$(INSTALLED): requirements/bootstrap.lock requirements/dev.lock pyproject.toml
	$(if $(shell $(PYTHON) -c '$(TRY_PYTHON)' 2>/dev/null),,$(error $(NO_PYTHON)))
	@echo "setup: making .venv (the first time takes a few minutes and 3 GB)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes \
		--requirement requirements/bootstrap.lock
	@echo "setup: installing the packages that requirements/dev.lock names"
	@$(USE_INDEX); \
		$(BIN)/uv pip install $$quiet --python $(BIN)/python --compile-bytecode --require-hashes \
			--requirement requirements/dev.lock && \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
			--editable .
	@touch $@

$(PEER)/.installed: chaos/peers/relier/requirements.lock | $(INSTALLED)
	@echo "chaos-peers: installing the packages that $< names into $(PEER)"
	@$(PYTHON) -m venv --clear --without-pip $(PEER)
	@$(USE_INDEX); \
		$(BIN)/uv pip install $$quiet --python $(PEER)/bin/python --compile-bytecode \
			--require-hashes --requirement $<
	@touch $@

# A server that cannot be installed here is named in the table with the reason.
$(BENCH_PEERS): var/peers/%/.installed: benchmarks/peers/%/requirements.lock | $(INSTALLED)
	@echo "bench-peers: installing the packages that $< names into $(@D)"
	@$(PYTHON) -m venv --clear --without-pip $(@D)
	@$(USE_INDEX); \
		if $(BIN)/uv pip install --quiet --python $(@D)/bin/python --compile-bytecode \
			--require-hashes --requirement $< 2> $(@D)/.failed; \
		then mv $(@D)/.failed $@; else cat $(@D)/.failed >&2; fi

$(MODEL): | $(INSTALLED)
	@echo "setup: converting the pre-trained model into $(STORE) (once, about a minute)"
	@$(BIN)/petiole models install imagenet
