#!/bin/bash
# Runs each fuzz target of the module for FUZZTIME (default 3s). Arguments go to go test.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
while read -r package target; do
	go test "$@" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-3s}" -fuzzminimizetime 10x "$package" || status=1
done < <(go list -f '{{.ImportPath}} {{.Dir}}{{range .TestGoFiles}} {{.}}{{end}}{{range .XTestGoFiles}} {{.}}{{end}}' ./... |
	while read -r package dir files; do
		[[ -n $files ]] || continue
		(cd "$dir" && sed -n "s|^func \(Fuzz[A-Z0-9_][A-Za-z0-9_]*\)(.*|$package \1|p" $files)
	done)
exit "$status"
