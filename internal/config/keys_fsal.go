package config

import (
	"math"
	"slices"
)

func fsalBlocks() []block {
	return []block{
		{path: "EXPORT/FSAL", doc: "The export's file system.", keys: fsalKeys},
		{path: "EXPORT/FSAL/FSAL", doc: "The file system below a stacked one.", keys: stackedKeys},
		{path: "EXPORT/FSAL/PNFS", doc: "Layouts of the export.", keys: pnfsKeys},
		{path: "EXPORT/QOS_BLOCK", doc: "Rates of the export.", keys: qosKeys},
		{path: "DS", doc: "A pNFS data server.", repeats: true, keys: []key{{name: "Number", kind: number(0, maxU16), def: "0", doc: "Number of the data server."}}},
		{path: "DS/FSAL", doc: "Its file system.", keys: stackedKeys},
		{path: "CEPH", doc: "CephFS exports.", keys: cephKeys},
		{path: "VFS", doc: "VFS exports.", keys: slices.Concat(fsInfoKeys, sizeKeys)},
		{path: "XFS", doc: "XFS exports.", keys: slices.Concat(fsInfoKeys, sizeKeys)},
		{path: "LUSTRE", doc: "Lustre exports.", keys: slices.Concat(fsInfoKeys, sizeKeys)},
		{path: "GPFS", doc: "GPFS exports.", keys: slices.Concat(fsInfoKeys, gpfsKeys)},
		{path: "GLUSTER", doc: "Gluster exports.", keys: []key{{name: "PNFS_MDS", kind: boolean, def: "false", doc: "Being a metadata server."}}},
		{path: "MEM", doc: "Exports in memory.", keys: memKeys},
		{path: "RGW", doc: "Object gateway exports.", keys: rgwKeys},
		{path: "PROXY_V3", doc: "Exports of another NFSv3 server.", keys: slices.Concat(sizeKeys, proxy3Keys)},
		{path: "PROXY_V4", doc: "Exports of another NFSv4 server.", keys: slices.Concat(fsInfoKeys, sizeKeys)},
	}
}

var fsalKeys = slices.Concat([]key{
	{name: "Name", kind: text, def: "VFS", effect: guarded, only: "VFS XFS MEM CEPH",
		doc: "File system: VFS or XFS for a local directory, CEPH for CephFS, MEM for memory. Exports of others cannot be served.", into: func(s *scope) any { return &s.export.FSAL.Name }},
	{name: "User_Id", kind: text, effect: used, doc: "CephFS: Ceph user, without client.", into: func(s *scope) any { return &s.export.FSAL.UserID }},
	{name: "Secret_Access_Key", kind: text, effect: used, doc: "CephFS: the user's key; where it is not set it is in a keyring.", secret: true, into: func(s *scope) any { return &s.export.FSAL.Secret }},
	{name: "Filesystem", kind: text, effect: used, doc: "CephFS: file system of the cluster, the default one if not set.", into: func(s *scope) any { return &s.export.FSAL.Filesystem }},
	{name: "cmount_path", kind: pathname, effect: used, doc: "CephFS: directory that Path must be in.", into: func(s *scope) any { return &s.export.FSAL.MountPath }},
}, otherFSALKeys)

var stackedKeys = slices.Concat([]key{{name: "Name", kind: text, doc: "File system."}}, otherFSALKeys)

var otherFSALKeys = []key{
	{name: "sec_label_xattr", kind: text, def: "security.selinux", doc: "Extended attribute that holds the security label."},
	{name: "pnfs", kind: boolean, def: "false", doc: "Layouts."},
	{name: "fsid_type", kind: oneOf("None", "One64", "Major64", "Two64", "uuid", "Two32", "Dev", "Device"), doc: "Form of file system ids."},
	{name: "async_hsm_restore", kind: boolean, def: "true", doc: "Lustre: restoring in the background."},
	{name: "volume", kind: text, doc: "Gluster: volume."},
	{name: "hostname", kind: text, doc: "Gluster: server."},
	{name: "port", kind: text, doc: "LizardFS: port."},
	{name: "volpath", kind: pathname, def: "/", doc: "Gluster: directory in the volume."},
	{name: "glfs_log", kind: pathname, def: "/tmp/gfapi.log", doc: "Gluster: log file."},
	{name: "up_poll_usec", kind: number(1, 60000000), def: "10", doc: "Gluster: microseconds between polls."},
	{name: "enable_upcall", kind: boolean, def: "true", doc: "Gluster: upcalls."},
	{name: "transport", kind: oneOf("tcp", "rdma"), def: "tcp", doc: "Gluster: transport."},
	{name: "Security_Label", kind: boolean, def: "false", doc: "Gluster: security labels."},
	{name: "kvsns_config", kind: pathname, doc: "KVSFS: configuration file."},
	{name: "Access_Key_Id", kind: text, doc: "RGW: access key.", secret: true},
	{name: "Access_Key", kind: text, doc: "RGW: access key.", secret: true},
	{name: "Srv_Addr", kind: address, def: "127.0.0.1", doc: "Proxy: the other server."},
	{name: "Retry_SleepTime", kind: seconds(0, 60), def: "10", doc: "Proxy: time between tries."},
	{name: "NFS_Service", kind: number(0, maxU32), def: "100003", doc: "Proxy: RPC program number."},
	{name: "NFS_SendSize", kind: octets(1024, maxIO), def: "1049088", doc: "Proxy: size of requests."},
	{name: "NFS_RecvSize", kind: octets(1024, maxIO), def: "1049088", doc: "Proxy: size of replies."},
	{name: "NFS_Port", kind: number(0, maxU16), def: "2049", doc: "Proxy: port of the other server."},
	{name: "Use_Privileged_Client_Port", kind: boolean, def: "true", doc: "Proxy: a port below 1024."},
	{name: "RPC_Client_Timeout", kind: seconds(1, 240), def: "60", doc: "Proxy: time until a request fails."},
	{name: "Remote_PrincipalName", kind: text, doc: "Proxy: principal of the other server."},
	{name: "KeytabPath", kind: pathname, def: "/etc/krb5.keytab", doc: "Proxy: keytab."},
	{name: "Credential_LifeTime", kind: seconds(0, 2*day), def: "86400", doc: "Proxy: life of credentials."},
	{name: "Sec_Type", kind: oneOf("krb5", "krb5i", "krb5p"), def: "krb5", doc: "Proxy: security flavour."},
	{name: "Active_krb5", kind: boolean, def: "false", doc: "Proxy: Kerberos."},
	{name: "Enable_Handle_Mapping", kind: boolean, def: "false", doc: "Proxy: handles kept in a database."},
	{name: "HandleMap_DB_Dir", kind: pathname, def: "/var/ganesha/handlemap", doc: "Proxy: directory of that database."},
	{name: "HandleMap_Tmp_Dir", kind: pathname, def: "/var/ganesha/tmp", doc: "Proxy: its temporary directory."},
	{name: "HandleMap_DB_Count", kind: number(1, 16), def: "8", doc: "Proxy: its parts."},
	{name: "HandleMap_HashTable_Size", kind: number(1, 127), def: "103", doc: "Proxy: its hash table."},
	{name: "Async_Delay", kind: number(0, 1000), def: "0", doc: "Memory: microseconds of delay."},
	{name: "Async_Type", kind: oneOf("inline", "fixed", "random", "random_or_inline"), def: "inline", doc: "Memory: form of delay."},
	{name: "Async_Stall_Delay", kind: number(0, 1000), def: "0", doc: "Memory: microseconds of stalls."},
}

var pnfsKeys = []key{
	{name: "Stripe_Unit", kind: octets(1024, 1<<20), def: "8192", doc: "Size of a stripe."},
	{name: "pnfs_enabled", kind: boolean, def: "false", doc: "Layouts."},
}

var cephKeys = []key{
	{name: "Ceph_Conf", kind: pathname, effect: used, doc: "Ceph's configuration file; its default if not set.", into: func(s *scope) any { return &s.settings.Ceph.Conf }},
	{name: "umask", kind: number(0, 0o777), def: "0", doc: "Mode bits taken off new files."},
	{name: "client_oc", kind: boolean, def: "false", doc: "The client library's object cache."},
	{name: "client_oc_size", kind: octets(0, math.MaxUint64), def: "209715200", doc: "Size of that cache."},
	{name: "client_oc_max_dirty", kind: octets(0, math.MaxUint64), def: "104857600", doc: "Unwritten data in that cache at most."},
	{name: "async", kind: boolean, def: "false", doc: "Reads and writes that do not hold a thread."},
	{name: "zerocopy", kind: boolean, def: "false", doc: "Data that are not copied."},
	{name: "use_old_uuid", kind: boolean, def: "false", doc: "Session names of older releases."},
	{name: "register_service", kind: boolean, def: "false", doc: "Showing in the cluster's status."},
	{name: "nodeid", kind: text, doc: "Name in the cluster's status."},
}

var fsInfoKeys = []key{
	{name: "link_support", kind: boolean, def: "true", doc: "Hard links."},
	{name: "symlink_support", kind: boolean, def: "true", doc: "Symbolic links."},
	{name: "cansettime", kind: boolean, def: "true", doc: "Times can be set."},
	{name: "umask", kind: number(0, 0o777), def: "0", doc: "Mode bits taken off new files."},
	{name: "auth_xdev_export", kind: boolean, def: "false", doc: "Other file systems below the export."},
	{name: "only_one_user", kind: boolean, def: "false", doc: "Everything as the server's own user."},
}

var sizeKeys = []key{
	{name: "maxread", kind: octets(512, maxIO), def: "67108864", doc: "Size of a READ at most."},
	{name: "maxwrite", kind: octets(512, maxIO), def: "67108864", doc: "Size of a WRITE at most."},
}

var gpfsKeys = []key{
	{name: "Delegations", kind: oneOf("none", "r|read", "w|write", "rw|readwrite"), def: "read", doc: "Delegations."},
	{name: "pnfs_file", kind: boolean, def: "false", doc: "File layouts."},
	{name: "PNFS_MDS", kind: boolean, def: "false", doc: "Being a metadata server."},
	{name: "PNFS_DS", kind: boolean, def: "false", doc: "Being a data server."},
	{name: "fsal_trace", kind: boolean, def: "true", doc: "Traces."},
	{name: "fsal_grace", kind: boolean, def: "false", doc: "Grace in the file system."},
}

var memKeys = []key{
	{name: "Inode_Size", kind: octets(0, 2<<20), def: "0", doc: "Data kept of each file."},
	{name: "UP_Test_Interval", kind: seconds(0, maxU32), def: "0", doc: "Time between upcalls for tests."},
	{name: "Async_Threads", kind: number(0, 100), def: "0", doc: "Threads for delayed operations."},
	{name: "Whence_is_name", kind: boolean, def: "false", doc: "Directory cookies are names."},
}

var rgwKeys = []key{
	{name: "ceph_conf", kind: pathname, doc: "Ceph's configuration file."},
	{name: "name", kind: text, doc: "Name of the gateway."},
	{name: "cluster", kind: text, doc: "Name of the cluster."},
	{name: "init_args", kind: text, doc: "Arguments of the gateway."},
}

var proxy3Keys = []key{
	{name: "num_sockets", kind: number(1, 1000), def: "32", doc: "Connections."},
	{name: "allow_lookup_optimization", kind: boolean, def: "true", doc: "Fewer LOOKUPs."},
}
