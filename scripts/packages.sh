#!/bin/bash
# Installs the Debian packages that the tests use and that are missing, where it may.
set -u
packages=(gcc libc6-dev user-mode-linux iproute2 nftables nfs-common nfs4-acl-tools acl e2fsprogs mount git sqlite3 perl haproxy dpkg-dev chromium fonts-dejavu-core
	ceph-mon ceph-osd ceph-mds ceph-mgr ceph-fuse ceph-common python3-rados python3-cephfs libcephfs-dev librados-dev)

missing=()
for p in "${packages[@]}"; do
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) == installed ]] || missing+=("$p")
done
((${#missing[@]})) || exit 0

if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
	echo "skip: packages not installed (root and apt are needed): ${missing[*]}"
	exit 0
fi
# Installing a package must not start its services.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get install -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
	{ apt-get update -qq && apt-get install -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 ||
	echo "skip: packages could not be installed: ${missing[*]}"
