#!/bin/bash
# Puts the root of a container together in a directory (default: bin), as a tar file,
# and builds the image IMAGE (default: tidegate) with what tool there is. CEPH=yes is
# with CephFS and the libraries of this machine that it takes.
set -euo pipefail
out=$(mkdir -p "${1:-bin}" && realpath "${1:-bin}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=${IMAGE:-tidegate}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
root=$work/root
install -d "$root"/{usr/bin,etc/tidegate,etc/ganesha,etc/ceph,dev,proc,run,sys,var/lib/tidegate,srv}
install -d -m1777 "$root/tmp"

flags=(-trimpath -ldflags "-s -w -X main.version=$(scripts/version.sh)" -o "$root/usr/bin/tidegate")
if [[ ${CEPH:-} == yes ]]; then
	CGO_ENABLED=1 go build -tags ceph,pacific "${flags[@]}" ./cmd/tidegate
	ldd "$root/usr/bin/tidegate" | grep -o '/[^ ]*' | sort -u | while read -r lib; do
		install -D "$lib" "$root$lib"
	done
else
	CGO_ENABLED=0 go build "${flags[@]}" ./cmd/tidegate
fi
ln -s tidegate "$root/usr/bin/ganesha.nfsd"
ln -s tidegate "$root/usr/bin/ganesha-rados-grace"
install -m644 deploy/tidegate.conf "$root/etc/tidegate/"
printf 'root:x:0:0::/:/\nnobody:x:65534:65534::/:/\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner -cf "$out/tidegate-root.tar" .
echo "$out/tidegate-root.tar"

for tool in buildah podman docker; do
	if command -v "$tool" >/dev/null; then
		"$tool" build -q -t "$image" -f deploy/container/Containerfile "$work"
		exit
	fi
done
echo "skip: no image (buildah, podman or docker is needed)"
