SHELL := /bin/bash
EXPORT ?= export
LISTEN ?= 127.0.0.1:20490
FUZZTIME ?= 3s

.PHONY: build run test bench fuzz fmt generate clean

build:
	CGO_ENABLED=0 go build -o bin/ ./cmd/...

# Serves the directory $(EXPORT) at $(LISTEN).
run: build
	@mkdir -p $(EXPORT)
	@echo "mount it with: mount -t nfs4 -o port=$(lastword $(subst :, ,$(LISTEN))) $(firstword $(subst :, ,$(LISTEN))):/export /mnt"
	bin/tidegate serve --export $(abspath $(EXPORT))=/export --listen $(LISTEN) --state-dir bin/state

# Everything: formatting, vet, tests under the race detector, fuzzing, a kernel client.
test:
	@FUZZTIME=$(FUZZTIME) scripts/test.sh

bench:
	go test -run '^$$' -bench . -benchmem ./...

fuzz:
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

fmt:
	gofmt -w .

generate:
	go generate ./...

clean:
	rm -rf bin
	go clean -testcache
