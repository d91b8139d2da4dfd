# Everything that a developer runs. `make test` is what CI runs.
GO ?= go

# The race detector watches Go's memory: the C library and SQLite, translated, keep
# theirs outside, and take most of the suite's time when they are instrumented.
RACE = -race -gcflags=modernc.org/libc=-race=false -gcflags=modernc.org/sqlite/lib=-race=false

.PHONY: test lint cross bench fuzz soak test-sdk deps

test: deps lint   ## every test with the race detector, the whole program and a browser included
	CI=$(CI) $(GO) test $(RACE) -timeout 15m ./...

lint:             ## gofmt, vet, staticcheck (pinned in go.mod)
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

cross:            ## builds heed for other systems, without a C compiler, and vets what only they see (tests need a Unix)
	@for to in darwin/arm64 linux/arm64 freebsd/amd64 windows/amd64; do echo "$$to"; \
	  export CGO_ENABLED=0 GOOS=$${to%/*} GOARCH=$${to#*/}; \
	  $(GO) build -o /dev/null ./cmd/heed || exit 1; \
	  case $$to in windows/*) ;; *) $(GO) vet ./gateway ./store ./store/redis || exit 1;; esac; \
	done

deps:             ## gcc for -race, curl, redis-server, chromium: installs what is missing, or says what to install
	@sh configs/deps.sh

bench:            ## benchmarks beside the code, then the programs of heedbench
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) run ./cmd/heedbench --help

fuzz:             ## every fuzz target for FUZZTIME (default 1m) each
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $${FUZZTIME:-1m} $$pkg || exit 1; \
	  done; done

test-sdk:         ## official JavaScript clients (Node 20 or newer, npm) against Heed and the simulated model
	cd cmd/heed/sdk && npm ci --no-audit --no-fund --silent
	$(GO) build -o bin/heed ./cmd/heed
	HEED_BIN=$(CURDIR)/bin/heed node --test --test-concurrency=1 cmd/heed/sdk

soak: deps        ## long suites: 300 kill cycles, HEED_SOAK_TIME (default 30m) of mixed load, and the like
	HEED_SOAK=1 $(GO) test -timeout 3h -count 1 ./...
