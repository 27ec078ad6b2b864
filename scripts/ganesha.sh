#!/bin/bash
# Serves a directory as /export with Debian's nfs-ganesha on a port of 127.0.0.1, in
# the foreground. Its state goes to a second directory. Give it ext4: over tmpfs
# ganesha fails with EIO. With GANESHA_CEPH, a configuration of Ceph, the directory
# is one of its default CephFS. GANESHA_LEASE is its lease in seconds.
set -euo pipefail
if (($# != 3)); then
	echo "usage: ganesha.sh DIR PORT STATE-DIR" >&2
	exit 2
fi
if ! command -v ganesha.nfsd >/dev/null; then
	echo "ganesha.sh: ganesha.nfsd is not there; install nfs-ganesha and nfs-ganesha-vfs" >&2
	exit 2
fi
dir=$1 port=$2 fsal=VFS ceph=
if [[ ${GANESHA_CEPH:-} ]]; then
	fsal=CEPH ceph="CEPH { Ceph_Conf = $GANESHA_CEPH; }"
else
	dir=$(realpath "$dir")
fi
mkdir -p "$3"
state=$(realpath "$3")
cat >"$state/ganesha.conf" <<CONF
NFS_CORE_PARAM {
	Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
	Bind_addr = 127.0.0.1; NFS_Port = $port; RPC_Max_Connections = 10000; Plugins_Dir = /usr/lib/x86_64-linux-gnu/ganesha;
}
NFSv4 {
	RecoveryRoot = $state; Minor_Versions = 1, 2; Delegations = ${GANESHA_DELEGATIONS:-false};
	Grace_Period = 10; Lease_Lifetime = ${GANESHA_LEASE:-10};
}
EXPORT_DEFAULTS { Squash = none; SecType = sys; Delegations = RW; }
EXPORT { Export_Id = 1; Path = $dir; Pseudo = /export; Access_Type = RW; FSAL { Name = $fsal; } }
$ceph
CONF
rm -f "$state/pid" # of one that was killed
exec ganesha.nfsd -F -f "$state/ganesha.conf" -L "$state/log" -p "$state/pid"
