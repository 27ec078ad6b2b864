#!/bin/bash
# Runs each fuzz target of the module for FUZZTIME. Arguments go to go test. The
# default is a number of inputs: go test fails now and then when a time is over.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
while read -r package target; do
	go test "$@" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-5000x}" -fuzzminimizetime 10x "$package" || status=1
done < <(go list -f '{{.ImportPath}} {{.Dir}}{{range .TestGoFiles}} {{.}}{{end}}{{range .XTestGoFiles}} {{.}}{{end}}' ./... |
	while read -r package dir files; do
		[[ -n $files ]] || continue
		(cd "$dir" && sed -n "s|^func \(Fuzz[A-Z0-9_][A-Za-z0-9_]*\)(.*|$package \1|p" $files)
	done)
exit "$status"
