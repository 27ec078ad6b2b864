#!/bin/bash
# Builds the Debian package into a directory (default: bin). With CephFS where
# libcephfs-dev is installed, unless CEPH=no. PROGRAM is one that is built already,
# COMPRESSION one of dpkg-deb's.
set -euo pipefail
out=$(mkdir -p "${1:-bin}" && realpath "${1:-bin}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(scripts/version.sh)
arch=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
install -d "$root"/{DEBIAN,usr/bin,usr/lib/tidegate,usr/share/man/man8,usr/share/doc/tidegate/examples}

# The C library knows users that are in no file, and cgo is the way to it.
build() {
	local tags=()
	if [[ ${CEPH:-} != no && -e /usr/include/cephfs/libcephfs.h && -e /usr/include/rados/librados.h ]]; then
		tags=(-tags ceph,pacific)
	fi
	CGO_ENABLED=1 go build -trimpath -buildmode=pie "${tags[@]}" \
		-ldflags "-s -w -X main.version=$version -linkmode=external -extldflags '-Wl,-z,relro,-z,now'" \
		-o "$1" ./cmd/tidegate
}
if [[ -n ${PROGRAM:-} ]]; then
	cp "$PROGRAM" "$root/usr/bin/tidegate"
else
	build "$root/usr/bin/tidegate"
fi
# Under these names it stands in for nfs-ganesha's programs.
ln -s ../../bin/tidegate "$root/usr/lib/tidegate/ganesha.nfsd"
ln -s ../../bin/tidegate "$root/usr/lib/tidegate/ganesha-rados-grace"

install -Dm644 -t "$root/lib/systemd/system" deploy/systemd/*
install -Dm644 -t "$root/etc/tidegate" deploy/tidegate.conf
cp -r deploy/ha deploy/grafana deploy/prometheus "$root/usr/share/doc/tidegate/examples/"
"$root/usr/bin/tidegate" man "$root/usr/share/man/man8"
gzip -9n "$root"/usr/share/man/man8/*
completion() { install -d "$root/$2" && "$root/usr/bin/tidegate" completion "$1" >"$root/$2/$3"; }
completion bash usr/share/bash-completion/completions tidegate
completion zsh usr/share/zsh/vendor-completions _tidegate
completion fish usr/share/fish/vendor_completions.d tidegate.fish

cat >"$root/usr/share/doc/tidegate/copyright" <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tidegate
Source: https://github.com/tidegate/tidegate

Files: *
Copyright: 2026 the Tidegate authors
License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
END
maintainer="Tidegate <maintainers@tidegate.io>"
printf 'tidegate (%s) unstable; urgency=medium\n\n  * Built from the sources of this version.\n\n -- %s  %s\n' \
	"$version" "$maintainer" "$(date -uRd "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$root/usr/share/doc/tidegate/changelog.gz"

# What the program is linked with becomes what the package depends on.
mkdir "$work/debian" && printf 'Source: tidegate\n\nPackage: tidegate\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$root/usr/bin/tidegate" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')

install -m755 -t "$root/DEBIAN" deploy/debian/*
(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"
find "$root" -path "$root/DEBIAN" -prune -o -type d -exec chmod 755 {} + -o -type f ! -path '*/bin/*' -exec chmod 644 {} +
(cd "$root" && find usr lib -type f -printf '%p\0' | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<END
Package: tidegate
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends
Suggests: haproxy, keepalived
Section: net
Priority: optional
Homepage: https://github.com/tidegate/tidegate
Description: NFSv4.1 and 4.2 server for CephFS and local directories
 Tidegate exports CephFS and directories of this host to NFS clients, alone or
 as one of several gateways that take over from each other. It reads the
 configuration of nfs-ganesha and takes its place.
END
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$root" "$out/tidegate_${version}_$arch.deb" >/dev/null
echo "$out/tidegate_${version}_$arch.deb"
