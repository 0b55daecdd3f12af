# make test is the whole check, on a machine with Go, make and git. What else it uses it installs where it may without
# asking (.ci/install-tools); where it may not it says what is missing, and the tests that use that are skipped.

GO          ?= go
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 5000x
INTEROP     := testdata/interop
PACKAGES    := $(INTEROP)/node_modules/.package-lock.json

# Where .ci/install-tools puts a Node if the machine's is too old; it goes before that one.
export INTEROP_NODE := $(HOME)/.cache/signalbox-node
export PATH := $(INTEROP_NODE)/node_modules/node/bin:$(PATH)

# What the product is compiled for; arm is a Raspberry Pi Zero (GOARM=6).
TARGETS := linux/amd64 linux/arm64 linux/arm linux/riscv64 darwin/arm64 darwin/amd64 windows/amd64
LDFLAGS := -s -w

.PHONY: all test tools vet lint unit fuzz interop soak bench build cross generate clean

# The steps of a test build on one another.
.NOTPARALLEL:

all: build

test: tools interop vet lint unit fuzz

tools:
	@.ci/install-tools

vet:
	$(GO) vet ./...
	$(GO) vet -tags nosandbox .

lint:
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); \
		if [ -n "$$unformatted" ]; then echo "not gofmt-clean: $$unformatted"; exit 1; fi
	$(STATICCHECK) ./...

# Without go test's own vet: that has been done. The race detector wants a C compiler.
unit:
	@race=-race; \
	if [ "$$SIGNALBOX_REQUIRE_INTEROP" != 1 ] && ! $(GO) build -race runtime/cgo 2>/dev/null; then \
		race=; echo "no C compiler: the tests run without the race detector"; \
	fi; \
	set -x; $(GO) test $$race -vet off -timeout 30m ./...

# Every fuzz target for some thousand inputs. A count, not a time: at the end of a time Go now and then reports the
# deadline itself as a failure. One program for each package, for all its targets: what go test -fuzz would link anew
# for each of them. New inputs are kept where go test keeps them.
fuzz:
	@set -e; programs=$$(mktemp -d); trap 'rm -rf "$$programs"' EXIT; corpora=$$($(GO) env GOCACHE)/fuzz; \
	packages=$$(grep -rl --include='*_test.go' --exclude-dir=node_modules '^func Fuzz' . | xargs -n1 dirname | sort -u); \
	for package in $$packages; do \
		$(GO) test -c -vet off -fuzz . -o "$$programs/fuzz" "$$package"; \
		corpus=$$corpora/$$($(GO) list "$$package"); \
		targets=$$("$$programs/fuzz" -test.list '^Fuzz'); \
		for target in $$targets; do \
			echo "fuzz $$package $$target"; \
			(cd "$$package" && "$$programs/fuzz" -test.run '^$$' -test.fuzz "^$$target\$$" \
				-test.fuzztime $(FUZZTIME) -test.fuzzminimizetime 20x -test.fuzzcachedir "$$corpus" </dev/null); \
		done; \
	done

# The interop harness's packages, from the lock file.
interop:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(PACKAGES); \
		elif [ "$$SIGNALBOX_REQUIRE_INTEROP" = 1 ]; then echo "npm is missing"; exit 1; \
		else echo "npm is missing: the interop tests will be skipped"; fi

$(PACKAGES): $(INTEROP)/package-lock.json
	cd $(INTEROP) && npm ci
	@touch $@

# Hours where the tests take seconds: 200 kills, long conversations, a million inputs of every fuzz target.
soak: interop
	$(GO) test -tags soak -timeout 6h ./...
	$(MAKE) fuzz FUZZTIME=1000000x

# Prints the table of docs/benchmarks.md; the machine should have nothing else to do.
bench: interop
	$(GO) run ./bench

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o signalbox .

cross:
	@for target in $(TARGETS); do \
		echo "build $$target"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} GOARM=6 \
			$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o "dist/signalbox-$${target%/*}-$${target#*/}" . || exit 1; \
	done
	@echo "build linux/arm without the sandbox"
	@CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=6 \
		$(GO) build -tags nosandbox -trimpath -ldflags '$(LDFLAGS)' -o dist/signalbox-linux-arm-nosandbox .

generate:
	$(GO) generate ./...

clean:
	rm -rf signalbox dist
