# Atrium's commands. `make` alone lists them. Nothing needs installing first but python3 (3.11 or newer) and make.
#
# Variables, all of which can be given on the command line (make up ATRIUM_PORT=9000):
ATRIUM_PORT ?= 8080#       where the local cloud answers, on 127.0.0.1
AREA        ?= all#        make logs: a function (rag, ingest, ...), or edge, postgres, emulator, deploy
EVENT       ?=#            make invoke: a file under events/<function>/
NAME        ?=#            make migration: what it does, in_words
TESTS       ?= tests#      make test: which
WORKERS     ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))# make test: how many processes; each waits a fifth of its time
CONTEXT     ?=#            make deploy, make synth: settings of infra/settings.py, as -c name=value
PYTHON      ?=#            an interpreter to use instead of the one found

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory --no-builtin-rules
export ATRIUM_PORT PYTHON
export PATH := $(CURDIR)/.tools/node/bin:$(PATH)
ifeq ($(HOME),)
export HOME := $(CURDIR)/.tools/home
endif
export UV_PYTHON_DOWNLOADS ?= manual
export UV_SYSTEM_CERTS ?= true
export npm_config_update_notifier := false
# Tests and the local cloud start hundreds of processes: where bytecode is not kept, each compiles all that it imports.
export PYTHONDONTWRITEBYTECODE :=

uv := .tools/uv/bin/uv
export UV := $(CURDIR)/$(uv)
python := .venv/bin/python
sync = UV_PROJECT_ENVIRONMENT=$(1) $(uv) sync --frozen --quiet --python "$$(cat .tools/python)" $(2)
ifneq ($(MAKE_TERMOUT),)
bold := $(shell printf '\033[1m')
plain := $(shell printf '\033[0m')
endif
say = @printf '%s\n' "$(bold)=>$(plain) $(1)"

##@ The local cloud
.PHONY: up down reset logs invoke status operator-key
up: ready ## start everything, ingest the demo documents, answer a question
	@$(python) -m infra.local up
down: environment ## stop it; data stays
	@$(python) -m infra.local down
reset: environment ## stop it and delete its data
	@$(python) -m infra.local reset
status: environment ## what runs, and where
	@$(python) -m infra.local status
operator-key: environment ## print the operator's API key: curl -H "X-API-Key: $(make -s operator-key)" …/metrics
	@$(python) -m infra.local operator-key
logs: environment ## recent log lines; AREA=rag|ingest|...|edge|postgres|emulator
	@$(python) -m infra.local logs $(AREA)
invoke: environment ## send one event to its function; EVENT=events/ingest/drop.json
	@test -n "$(EVENT)" || { echo "Which event? make invoke EVENT=events/<function>/<case>.json" >&2; exit 2; }
	@$(python) -m infra.local invoke $(EVENT)

##@ Checks
.PHONY: check lint format types imports test bench
check: lint types imports test ## everything that must pass: lint, types, import contracts, tests
lint: environment ## ruff
	$(call say,lint)
	@$(python) -m ruff check --quiet .
	@$(python) -m ruff format --check --quiet . || { echo "Run: make format" >&2; exit 1; }
types: environment ## mypy
	$(call say,types)
	@$(python) -m mypy --no-error-summary infra functions layers/atrium/python/atrium tests
imports: environment ## which part may import which
	$(call say,import contracts)
	@.venv/bin/lint-imports --no-logo >build/imports.log 2>&1 || { cat build/imports.log; exit 1; }
format: environment ## rewrite the code as ruff wants it
	@$(python) -m ruff format --quiet .
	@$(python) -m ruff check --quiet --fix .
test: ready ## every test, with the services it needs; TESTS=tests/unit for some
	$(call say,tests)
	@$(python) -m pytest -q -n $(WORKERS) --dist loadgroup --ignore=tests/benchmarks $(TESTS)
bench: ready ## print import times, retrieval latency and recall
	@$(python) -m pytest -q -s tests/benchmarks

##@ The database
.PHONY: migrate migration migrate-status
migrate: environment ## run the local cloud's migrate function
	@$(python) -m infra.local migrate
migration: environment ## start a new migration; NAME=add_something
	@test -n "$(NAME)" || { echo "What does it do? make migration NAME=add_something" >&2; exit 2; }
	@$(python) -m atrium.db new $(NAME)
migrate-status: environment ## which migrations the local cloud has
	@$(python) -m infra.local migrate-status

##@ Building and deploying
.PHONY: build openapi schema synth bootstrap deploy
build: environment .tools/node/.ready ## layers, function bundles, the embedding model and OCR languages for the local cloud
	@$(python) -m infra.packaging --platform local
openapi: environment ## rewrite docs/openapi.json from the code
	@$(python) -m infra.openapi docs/openapi.json
schema: environment ## rewrite the schema.sql of atrium/db from the migrations
	@$(python) -m pytest -q --update-schema tests/integration/db/test_schema_file.py
synth: environment cdk ## the CloudFormation template of a real deployment, checked by cdk-nag
	$(call say,synthesising for AWS)
	@$(python) -m infra.packaging --platform lambda-arm64
	@node_modules/.bin/cdk synth --quiet -c target=aws $(CONTEXT)
	@echo "cdk.out/Atrium.template.json, and cdk-nag has no objection"
bootstrap: environment cdk ## prepare an AWS account and region for the CDK, once
	@$(python) -m infra.packaging --platform lambda-arm64
	@node_modules/.bin/cdk bootstrap -c target=aws
deploy: environment cdk ## deploy to the AWS account your credentials are for
	@$(python) -m infra.packaging --platform lambda-arm64
	@node_modules/.bin/cdk bootstrap -c target=aws $(CONTEXT)
	@node_modules/.bin/cdk deploy -c target=aws $(CONTEXT)

##@ What the commands above need, made on first use
.PHONY: environment cdk emulator edge ready
environment: .venv/.synced
cdk: node_modules/.synced
emulator: .tools/emulator/.synced
edge: .tools/edge/.synced
ready: environment
	@$(MAKE) -s -j2 emulator edge cdk

$(uv): infra/local/bootstrap.sh
	$(call say,uv)
	@sh infra/local/bootstrap.sh uv && touch $@
.tools/python: .python-version infra/local/bootstrap.sh | $(uv)
	@sh infra/local/bootstrap.sh python
.venv/.synced: pyproject.toml uv.lock .tools/python
	$(call say,Python packages from uv.lock (the first time, a minute))
	@$(call sync,.venv,) && mkdir -p build && touch $@
.tools/emulator/.synced: uv.lock .tools/python
	$(call say,the AWS emulator's environment)
	@$(call sync,.tools/emulator,--only-group emulator --no-install-project) && touch $@
.tools/edge/.synced: uv.lock .tools/python
	@$(call sync,.tools/edge,--only-group edge --no-install-project) && touch $@
.tools/node/.ready: uv.lock .tools/python
	@sh infra/local/bootstrap.sh node && touch $@
node_modules/.synced: package.json package-lock.json .tools/node/.ready
	$(call say,the AWS CDK)
	@npm ci --silent --no-audit --no-fund && touch $@

##@ Other
.PHONY: help clean
clean: ## delete what was built here (not the local cloud's data: that is make reset)
	@rm -rf .venv .tools node_modules build cdk.out
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} \
	    /^##@ What/ {next} \
	    /^##@/ {printf "\n$(bold)%s$(plain)\n", substr($$0, 5)} \
	    /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
