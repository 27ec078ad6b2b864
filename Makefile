SHELL := /bin/bash
EXPORT ?= export
LISTEN ?= 127.0.0.1:20490
FUZZTIME ?= 5000x
CEPH ?= bin/ceph

.PHONY: build build-ceph run test test-ceph bench bench-peers fuzz fmt generate ceph-up ceph-down deb container man clean

build:
	CGO_ENABLED=0 go build -o bin/ ./cmd/...

# With CephFS exports; needs libcephfs-dev and librados-dev.
build-ceph:
	go build -tags ceph,pacific -o bin/ ./cmd/...

# A throw-away Ceph below $(CEPH), on loopback; CEPHFLAGS=--mgr and others as in scripts/ceph-dev up --help.
ceph-up:
	@scripts/ceph-dev up $(CEPH) $(CEPHFLAGS)
	@scripts/ceph-dev env $(CEPH)

ceph-down:
	@scripts/ceph-dev down $(CEPH)

# Serves the directory $(EXPORT) at $(LISTEN).
run: build
	@mkdir -p $(EXPORT)
	@echo "mount it with: mount -t nfs4 -o port=$(lastword $(subst :, ,$(LISTEN))) $(firstword $(subst :, ,$(LISTEN))):/export /mnt"
	bin/tidegate serve --export $(abspath $(EXPORT))=/export --listen $(LISTEN) --state-dir bin/state

# Everything: formatting, vet, tests under the race detector, fuzzing, a kernel client.
test:
	@FUZZTIME=$(FUZZTIME) scripts/test.sh

# All that needs Ceph and cgo, gateways of a cluster among it, two active MDS and
# 200,000 lookups where it wants a client to remember few; many minutes more.
test-ceph:
	go test -race -tags ceph,pacific -p 1 -timeout 30m ./cluster/... ./recovery/... ./fsal/ceph/... ./mdcache ./cmd/tidegate
	go test -race -timeout 60m -parallel 1 -run '^TestCeph' ./internal/e2e -long -lookups 200000

bench:
	go test -run '^$$' -bench . -benchmem ./...
	@if [ -e /usr/include/cephfs/libcephfs.h ]; then go test -tags ceph,pacific -run '^$$' -bench . ./fsal/ceph; \
	else echo "skip: CephFS: libcephfs-dev is not installed"; fi

# This server beside nfs-ganesha, into docs/performance.md; PEERFLAGS=--quick is shorter.
bench-peers:
	@scripts/bench-peers $(PEERFLAGS)

fuzz:
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

fmt:
	gofmt -w .

generate:
	go generate ./...

# The Debian package, in bin; with CephFS where libcephfs-dev is installed.
deb:
	@scripts/deb.sh bin

# An image, and its root as a tar file in bin; CEPH=yes is with CephFS.
container:
	@scripts/container.sh bin

# The manual pages, in bin/man.
man: build
	@mkdir -p bin/man
	bin/tidegate man bin/man

clean:
	rm -rf bin
	go clean -testcache
