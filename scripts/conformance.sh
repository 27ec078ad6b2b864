#!/bin/bash
# Runs nfsconform on this server, over memory and over a directory, and on Debian's
# nfs-ganesha if it is there, and writes the results into docs/conformance.md. The
# servers listen on 127.0.0.1, and are killed and started again as tests ask.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
port=${PORT:-24049}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/conformance.XXXXXX")
keepers=()
CGO_ENABLED=0 go build -o "$work/" ./cmd/tidegate ./cmd/nfsconform ./scripts/verdicts || exit 1

# keep NAME COMMAND... runs a server, and again whenever it dies.
keep() {
	local name=$1
	shift
	while [[ ! -e $work/stop ]]; do
		"$@" >>"$work/$name.log" 2>&1 &
		echo $! >"$work/$name.pid"
		wait $!
	done 2>/dev/null &
	keepers+=("$name")
}

finish() {
	touch "$work/stop"
	for name in "${keepers[@]}"; do
		kill "$(<"$work/$name.pid")"
	done
	wait
	rm -rf "$work"
}
trap finish EXIT

# judge LABEL NAME PORT/EXPORT [CODE...] tests a server as soon as it listens. The
# tests with these codes come last, one at a time: the server does not outlive them.
results=()
judge() {
	local label=$1 name=$2 where=$3 files=() run
	local deadly=("${@:4}")
	local rest
	rest=$("$work/nfsconform" --list x | awk '{print $1}' | grep -vxF "$(printf '%s\n' "${deadly[@]}" -)" | paste -sd,)
	echo "== $label"
	for run in "$rest" "${deadly[@]}"; do
		for ((i = 0; i < 300; i++)); do
			: 2>/dev/null <"/dev/tcp/127.0.0.1/${where%%/*}" && break
			sleep 0.1
		done
		files+=("$work/$name-${where##*/}.${#files[@]}.json")
		"$work/nfsconform" "127.0.0.1:$where" --only "$run" --json "${files[-1]}" \
			--restart-cmd "kill -9 \$(cat $work/$name.pid)" | grep -v '^      '
	done
	results+=("$label=$(IFS=,; echo "${files[*]}")")
}

mkdir "$work/vfs" "$work/state"
keep tidegate "$work/tidegate" serve --export mem:=/mem --export "$work/vfs=/vfs" --state-dir "$work/state" \
	--listen "127.0.0.1:$port" --lease 10s --grace 15s
judge "tidegate, mem" tidegate "$port/mem"
judge "tidegate, vfs" tidegate "$port/vfs"
if command -v ganesha.nfsd >/dev/null; then
	mkdir "$work/ganesha"
	GANESHA_DELEGATIONS=true keep ganesha scripts/ganesha.sh "$work/ganesha" $((port + 1)) "$work/ganesha.state"
	judge "nfs-ganesha $(ganesha.nfsd -v | sed -n 's/.*= V//p'), vfs" ganesha "$((port + 1))/export" ALLOC8 ALLOC28
fi
{
	sed '/^## Results/q' docs/conformance.md
	echo
	"$work/verdicts" "${results[@]}"
} >"$work/doc" && cp "$work/doc" docs/conformance.md
