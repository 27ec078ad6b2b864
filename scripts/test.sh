#!/bin/bash
# Runs everything that is to hold before a change goes in; the last line counts the tests.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/packages.sh

unformatted=$(gofmt -l .)
if [[ -n $unformatted ]]; then
	printf 'gofmt would change:\n%s\n' "$unformatted"
	exit 1
fi
go vet ./... || exit 1

race=-race
if ! command -v gcc >/dev/null; then
	echo "skip: race detector (gcc is needed)"
	race=
fi
(
	status=0
	# Kernel clients lose their leases on a machine that is too busy for them, so
	# they have it to themselves.
	go test $race -shuffle=on -json -timeout 25m $(go list ./... | grep -v '/internal/e2e$') || status=1
	go test $race -shuffle=on -json -timeout 25m -parallel 1 ./internal/e2e || status=1
	# What reaches Ceph through cgo, against a Ceph of its own. Evictions and kills are
	# internal/e2e's; make test-ceph has all, with several clients and MDS.
	if [[ -e /usr/include/cephfs/libcephfs.h && -e /usr/include/rados/librados.h ]]; then
		go vet -tags ceph,pacific ./... || status=1
		inCeph=(go test $race -shuffle=on -json -tags ceph,pacific -p 1)
		"${inCeph[@]}" ./cluster/rados ./recovery/rados ./fsal/ceph/ll || status=1
		"${inCeph[@]}" -skip '^Test(Clients|Ranks|PinRanks|Evict.*|Takeover.*|Pressure)$' ./fsal/ceph || status=1
	else
		echo "skip: tests of the packages over Ceph (libcephfs-dev and librados-dev are needed)"
	fi
	# The race detector allocates, so tests that count allocations run without it.
	go test -run Alloc -json ./nfs4/... ./xdr/... || status=1
	scripts/fuzz.sh -json || status=1
	exit "$status"
) 2>&1 | go run ./scripts/tally
