# Two commands for a newcomer: `make practice` and `make test`.
# The others are for those who work on Portolan.

GO      ?= go
# KERNEL=source compiles the kernel; without it the port's own answer counts.
KERNEL_FLAG := $(if $(KERNEL),--kernel $(KERNEL))
BIN     := .build/portolan
RUN     := .practice
GOFILES := $(shell find cmd tui wizard usb flashers templates chroot -type f -not -name '*_test.go' -not -path '*/testdata/*')

# The commit, where git tells it. (Go's own stamp fails the build when the
# checkout belongs to another user.)
COMMIT := $(shell git describe --always --dirty 2>/dev/null)

export CGO_ENABLED ?= 0
# Debian keeps cryptsetup and mke2fs where users do not look.
export PATH := $(PATH):/usr/sbin:/sbin
# Layers and caches that tests share from one run to the next.
export PORTOLAN_TEST_WORK ?= $(CURDIR)/.build/test-work

.PHONY: practice test test-slow build lint bench setup-practice setup-test clean

# The practice voyage: the UI on a terminal, the plain voyage where there is none.
practice: setup-practice $(BIN) $(RUN)/answers.toml $(RUN)/passphrase
	@if [ -t 0 ] && [ -t 1 ]; then \
		exec $(BIN) --practice $(KERNEL_FLAG) --port $(RUN)/port; \
	else \
		exec $(BIN) voyage --practice --plain $(KERNEL_FLAG) \
			--port $(RUN)/port --answers $(RUN)/answers.toml; \
	fi

build: $(BIN)

$(BIN): go.mod go.sum $(GOFILES)
	@mkdir -p $(@D)
	$(GO) build -buildvcs=false -trimpath -ldflags '-X main.commit=$(COMMIT)' -o $@ ./cmd/portolan

# The answers of the rehearsal, and a passphrase of your own machine's making:
# there is no default one.
$(RUN)/answers.toml: docs/practice-answers.toml
	@mkdir -p $(@D)
	@cp $< $@

$(RUN)/passphrase:
	@mkdir -p $(@D)
	@umask 077; head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n' > $@.new && mv $@.new $@

test: setup-test $(BIN)
	CGO_ENABLED=1 $(GO) test -race -timeout 40m ./...

# Adds the voyage with a kernel compiled from source (about 10 minutes).
test-slow: setup-test $(BIN)
	PORTOLAN_SLOW=1 $(GO) test -timeout 70m -run 'Slow' -v ./cmd/portolan

lint:
	@test -z "$$(gofmt -l cmd tui wizard usb flashers templates chroot)" || { gofmt -l cmd tui wizard usb flashers templates chroot; exit 1; }
	$(GO) vet ./...
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run --timeout 15m ./...

bench: setup-test $(BIN)
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./...

setup-practice:
	@.ci/setup practice

setup-test:
	@.ci/setup test

clean:
	rm -rf .build/portolan
	@echo "layers and caches of the tests stay in .build/test-work*; portolan zap --work removes them"
