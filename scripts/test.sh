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
{
	go test $race -shuffle=on -json -timeout 25m ./...
	# The race detector allocates, so tests that count allocations run without it.
	go test -run Alloc -json ./nfs4/... ./xdr/...
	scripts/fuzz.sh -json
} 2>&1 | go run ./scripts/tally
