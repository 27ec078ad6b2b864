package config

import (
	"math"
	"slices"
)

func exportBlocks() []block {
	return []block{
		{path: "EXPORT_DEFAULTS", doc: "What an EXPORT has where it says nothing.", keys: slices.Concat(permissionKeys, lifeKeys)},
		{path: "EXPORT_DEFAULTS/CLIENT", doc: "Client lists of every export, after the export's own.", repeats: true,
			keys: slices.Concat(clientKeys, permissionKeys, withoutEffect(lifeKeys))},
		{path: "EXPORT", doc: "One export.", repeats: true, keys: slices.Concat(exportKeys, permissionKeys, lifeKeys)},
		{path: "EXPORT/CLIENT", doc: "What some clients may do, where it differs. The first block that matches counts.", repeats: true,
			keys: slices.Concat(clientKeys, permissionKeys, withoutEffect(lifeKeys))},
		{path: "PSEUDOFS", doc: "The directories above the exports.", keys: withoutEffect(exportKeys, permissionKeys, lifeKeys)},
		{path: "PSEUDOFS/CLIENT", doc: "What some clients may do there.", repeats: true, keys: withoutEffect(clientKeys, permissionKeys, lifeKeys)},
	}
}

func withoutEffect(tables ...[]key) []key {
	keys := slices.Concat(tables...)
	for i := range keys {
		keys[i].effect, keys[i].only, keys[i].into = idle, "", nil
	}
	return keys
}

// permissionKeys stand in EXPORT_DEFAULTS, EXPORT and CLIENT blocks.
var permissionKeys = []key{
	{name: "Access_Type", kind: oneOf("none", "RW", "RO", "MDONLY", "MDONLY_RO"), def: "none", effect: used,
		doc:  "What clients may do: read and write, read, metadata alone, or nothing.",
		into: func(s *scope) any { return &s.perms.Access }},
	{name: "Squash", kind: oneOf("root_squash|root|rootsquash", "root_id_squash|rootid|rootidsquash",
		"all_squash|all|allsquash|all_anonymous|all_anomnymous|allanonymous", "none|no_root_squash|noidsquash"),
		def: "root_squash", effect: used, doc: "Which users become anonymous.",
		into: func(s *scope) any { return &s.perms.Squash }},
	{name: "Anonymous_uid", kind: number(math.MinInt32, maxU32), def: "-2", doc: "User that squashed users become.",
		into: func(s *scope) any { return &s.perms.AnonUID }},
	{name: "Anonymous_gid", kind: number(math.MinInt32, maxU32), def: "-2", doc: "Group that squashed groups become.",
		into: func(s *scope) any { return &s.perms.AnonGID }},
	{name: "SecType", kind: manyOf("none", "sys|unix", "krb5", "krb5i", "krb5p"), def: "none, sys", effect: guarded, only: "sys none",
		doc: "Security flavours. It must hold sys or none; others are not offered.", into: func(s *scope) any { return &s.perms.SecTypes }},
	{name: "Protocols", kind: manyOf(protocolNames...), def: "3, 4", effect: used, doc: "NFS versions. Without 4 there is nothing to be seen.",
		into: func(s *scope) any { return &s.perms.Protocols }},
	{name: "Transports", kind: manyOf("UDP", "TCP", "RDMA"), def: "UDP, TCP", effect: guarded, only: "TCP", doc: "Transports. It must hold TCP.",
		into: func(s *scope) any { return &s.perms.Transports }},
	{name: "PrivilegedPort", kind: boolean, def: "false", effect: used, doc: "Only clients on ports below 1024.",
		into: func(s *scope) any { return &s.perms.PrivilegedPort }},
	{name: "Manage_Gids", kind: boolean, def: "false", effect: used, doc: "Groups looked up here, not taken from the client.",
		into: func(s *scope) any { return &s.perms.ManageGIDs }},
	{name: "Delegations", kind: oneOf("none", "r|read", "w|write", "rw|readwrite"), def: "none", effect: used,
		doc: "Delegations for files of the export; any but none allows all kinds.", into: func(s *scope) any { return &s.perms.Delegations }},
	{name: "NFS_Commit", kind: boolean, def: "false", doc: "Every WRITE of NFSv3 is stable."},
	{name: "Security_Label", kind: boolean, def: "false", doc: "Security labels of NFSv4.2."},
	{name: "XprtSec", kind: manyOf("none", "tls", "mtls"), def: "none", doc: "RPC over TLS."},
}

// lifeKeys stand where permissionKeys do, but are about a whole export.
var lifeKeys = []key{
	{name: "Attr_Expiration_Time", kind: seconds(-1, maxI32), def: "60", effect: used,
		doc:  "How long attributes count at most; MDCACHE says how long they do. -1 is no limit.",
		into: func(s *scope) any { return &s.perms.AttrLife }},
}

var clientKeys = []key{
	{name: "Clients", kind: words, doc: "Who: *, addresses, networks as 10.0.0.0/8, host names, with * and ? too, @netgroups.",
		effect: used, into: func(s *scope) any { return &s.client.Names }},
	{name: "HA_Proxy_Protocol", kind: oneOf("any", "with_ha_proxy", "without_ha_proxy"), def: "any", doc: "Whether such a client comes through a proxy."},
}

var exportKeys = []key{
	{name: "Export_Id", kind: number(0, maxU16), effect: used, doc: "The export's number; file handles hold it. 0 is for the root of all.",
		into: func(s *scope) any { return &s.export.ID }},
	{name: "Path", kind: pathname, effect: used, doc: "Directory in the file system.", into: func(s *scope) any { return &s.export.Path }},
	{name: "Pseudo", kind: pathname, effect: used, doc: "Place among the exports, as clients name it.", into: func(s *scope) any { return &s.export.Pseudo }},
	{name: "Tag", kind: text, doc: "NFSv3: another name to mount."},
	{name: "Filesystem_id", kind: text, def: "666.666", doc: "File system id, as major.minor."},
	{name: "MaxRead", kind: octets(512, maxIO), def: "67108864", effect: used, doc: "Size of a READ at most.",
		into: func(s *scope) any { return &s.export.MaxRead }},
	{name: "MaxWrite", kind: octets(512, maxIO), def: "67108864", effect: used, doc: "Size of a WRITE at most.",
		into: func(s *scope) any { return &s.export.MaxWrite }},
	{name: "PrefRead", kind: octets(512, maxIO), def: "67108864", doc: "NFSv3: preferred size of a READ."},
	{name: "PrefWrite", kind: octets(512, maxIO), def: "67108864", doc: "NFSv3: preferred size of a WRITE."},
	{name: "PrefReaddir", kind: octets(512, maxIO), def: "16384", doc: "NFSv3: preferred size of a READDIR."},
	{name: "MaxOffsetRead", kind: octets(512, math.MaxUint64), def: "9223372036854775807", doc: "Last offset that may be read."},
	{name: "MaxOffsetWrite", kind: octets(512, math.MaxUint64), def: "9223372036854775807", doc: "Last offset that may be written."},
	{name: "UseCookieVerifier", kind: boolean, def: "true", doc: "Directory cookies have a verifier."},
	{name: "DisableReaddirPlus", kind: boolean, def: "false", doc: "NFSv3: no READDIRPLUS."},
	{name: "DisableDirCaching", kind: boolean, def: "false", doc: "No cache of directory entries."},
	{name: "Trust_Readdir_Negative_Cache", kind: boolean, def: "false", doc: "Names not in a cached directory do not exist."},
	{name: "Disable_ACL", kind: boolean, def: "false", effect: used, doc: "ACLs are neither told nor set. They are obeyed all the same.",
		into: func(s *scope) any { return &s.export.DisableACL }},
	{name: "sec_label_xattr", kind: text, def: "security.selinux", doc: "Extended attribute that holds the security label."},
	{name: "Read_Access_Check_Policy", kind: manyOf("pre", "post"), def: "pre", doc: "When READ is checked."},
	{name: "Lookup_Access_Check_Policy", kind: manyOf("pre", "post"), def: "pre", doc: "When LOOKUP is checked."},
	{name: "Readdir_Access_Check_Policy", kind: manyOf("pre", "post"), def: "pre", doc: "When READDIR is checked."},
	{name: "Server_Addrs", kind: words, doc: "Addresses of this server at which the export is seen."},
}
