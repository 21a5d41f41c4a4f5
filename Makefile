# `make help` lists the targets. Everything a target needs it installs or
# finds itself, or says in one line what is missing.

SHELL       := /bin/bash
.DEFAULT_GOAL := help
TOOLS       := $(CURDIR)/bin/tools
GO          ?= go
FUZZTIME    ?= 5s
BENCHFLAGS  ?= -quick
RUN_DIR     ?= $(CURDIR)/data

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## the programs, in bin/
	$(GO) build -o bin/ ./cmd/...

.PHONY: run
run: build postgres ## the server with a testbed on a private Postgres, at https://localhost:3000/
	@scripts/run-testbed "$(RUN_DIR)"

.PHONY: demo
demo: build postgres ## load the routes of 50 real networks into a testbed of its own, with progress
	@scripts/demo

.PHONY: test
test: postgres pooler browser lint verify ## every check and test: format, vet, staticcheck, generated files, unit, database, end to end, short fuzzing
	@scripts/test

.PHONY: interop
interop: build postgres validators ## rpki-client and fort (and Routinator, if installed) judge what is published; with KRILL_BIN, Krill as a peer too
	@scripts/interop

.PHONY: faults
faults: postgres pooler ## the long fault tests (100 take-overs), with a report in docs/faults-report.md
	@scripts/faults

.PHONY: bench
bench: postgres ## what operators feel and what bounds the system, a few minutes; BENCHFLAGS= for all of it (docs/performance.md)
	@$(GO) run ./test/bench $(BENCHFLAGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@scripts/fuzz $(FUZZTIME)

.PHONY: lint
lint: $(TOOLS)/gofumpt $(TOOLS)/staticcheck ## formatting, vet, staticcheck
	@out=$$($(TOOLS)/gofumpt -l cmd internal api test db); if [ -n "$$out" ]; then echo "not formatted (run make fmt):"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(TOOLS)/staticcheck ./...

.PHONY: fmt
fmt: $(TOOLS)/gofumpt ## format the code
	$(TOOLS)/gofumpt -w cmd internal api test db

.PHONY: generate
generate: $(TOOLS)/sqlc ## code from db/queries and db/migrations
	$(TOOLS)/sqlc generate

.PHONY: ui
ui: ## the web page, from ui/ into internal/web/ui/dist (Node.js 20.19 or 22.12)
	cd ui && npm ci && npm run types && npm run check && npm test && npm run build

.PHONY: verify
verify: $(TOOLS)/sqlc ## fail if generated files are not current
	@$(TOOLS)/sqlc diff || { echo "generated code is not current: run make generate"; exit 1; }
	@scripts/verify-ui

.PHONY: up
up: ## server and Postgres in containers
	docker compose up --build

.PHONY: down
down: ## stop the containers
	docker compose down

.PHONY: ci
ci: ## what continuous integration runs
	bash .ci/run

.PHONY: postgres
postgres: ## make sure that Postgres binaries are there
	@scripts/need-postgres

.PHONY: pooler
pooler: ## make sure that PgBouncer is there, for its tests
	@scripts/need-faults

.PHONY: browser
browser: ## make sure that a browser and Node.js are there, for the tests of the web page
	@scripts/need-browser

.PHONY: validators
validators: ## make sure that relying party software is there
	@scripts/need-validators

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

# Tools are pinned in tools/go.mod, not in the product's go.mod.
$(TOOLS)/gofumpt: tools/go.mod
	cd tools && CGO_ENABLED=0 GOBIN=$(TOOLS) $(GO) install mvdan.cc/gofumpt
$(TOOLS)/staticcheck: tools/go.mod
	cd tools && CGO_ENABLED=0 GOBIN=$(TOOLS) $(GO) install honnef.co/go/tools/cmd/staticcheck
$(TOOLS)/sqlc: tools/go.mod
	cd tools && CGO_ENABLED=0 GOBIN=$(TOOLS) $(GO) install github.com/sqlc-dev/sqlc/cmd/sqlc
