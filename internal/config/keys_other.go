package config

import (
	"math"
	"strings"
)

// otherBlocks are known to ganesha and have hardly any effect here.
func otherBlocks() []block {
	return []block{
		{path: "MDCACHE", doc: "Ganesha's cache of attributes and directories; also called CacheInode.", keys: cacheKeys},
		{path: "NFS_KRB5", doc: "Kerberos.", keys: kerberosKeys},
		{path: "NFS_IP_NAME", doc: "Cache of host names.", keys: []key{
			{name: "Index_Size", kind: number(1, 51), def: "17", doc: "Size of its hash table."},
			{name: "Expiration_Time", kind: seconds(1, day), def: "3600", doc: "Life of an entry."},
		}},
		{path: "DIRECTORY_SERVICES", doc: "Users and groups.", keys: directoryKeys},
		{path: "TLS_CONFIG", doc: "RPC over TLS.", keys: tlsKeys},
		{path: "9P", doc: "The 9P protocol.", keys: nineKeys},
		{path: "QOS_DEFAULT_CONFIG", doc: "Rates.", keys: qosKeys},
	}
}

var cacheKeys = []key{
	{name: "NParts", kind: number(1, 32633), def: "7", doc: "Partitions."},
	{name: "Cache_Size", kind: number(1, maxU32), def: "32633", doc: "Size of a partition's hash table."},
	{name: "Use_Getattr_Directory_Invalidation", kind: boolean, def: "false", doc: "Directories found changed by their attributes."},
	{name: "Dir_Chunk", kind: number(0, maxU32), def: "256", effect: used,
		doc:  "Entries of a directory that are read and kept together; 0: none are kept.",
		into: func(s *scope) any { return &s.settings.Cache.Chunk }},
	{name: "Detached_Mult", kind: number(1, maxU32), def: "1", doc: "Entries outside of chunks."},
	{name: "Chunks_HWMark", kind: number(1, maxU32), def: "100000", doc: "Chunks cached."},
	{name: "Chunks_LWMark", kind: number(1, maxU32), def: "1000", doc: "Chunks kept."},
	{name: "Entries_HWMark", kind: number(1, maxU32), def: "100000", effect: used,
		doc:  "Objects of all exports together that are kept at hand, as far as descriptors last.",
		into: func(s *scope) any { return &s.settings.Cache.Objects }},
	{name: "Entries_Release_Size", kind: number(0, maxU32), def: "100", doc: "Objects dropped in one go."},
	{name: "LRU_Run_Interval", kind: seconds(1, day), def: "90", doc: "Time between runs of the cleaner."},
	{name: "Cache_FDs", kind: boolean, def: "true", doc: "Open files kept."},
	{name: "Close_Fast", kind: boolean, def: "false", doc: "Files closed at once."},
	{name: "FD_Limit_Percent", kind: number(0, 100), def: "99", doc: "Share of open files at which requests are refused."},
	{name: "FD_HWMark_Percent", kind: number(0, 100), def: "90", doc: "Share of open files above which they are closed in haste."},
	{name: "FD_LWMark_Percent", kind: number(0, 100), def: "50", doc: "Share of open files below which none is closed."},
	{name: "Reaper_Work", kind: number(0, 2000), def: "0", doc: "Work of the cleaner."},
	{name: "Reaper_Work_Per_Lane", kind: number(1, maxU32), def: "50", doc: "Work of the cleaner in each lane."},
	{name: "Biggest_Window", kind: number(1, 100), def: "40", doc: "Work of the cleaner in need."},
	{name: "Required_Progress", kind: number(1, 50), def: "5", doc: "Progress of the cleaner in need."},
	{name: "Futility_Count", kind: number(1, 50), def: "8", doc: "Failures of the cleaner before caching stops."},
	{name: "Dirmap_HWMark", kind: number(1, maxU32), def: "10000", doc: "Directory positions kept."},
	{name: "Attr_Expiration_Time", kind: seconds(-1, maxI32), def: "1", effect: used,
		doc:  "How long attributes count in a directory of this host, which does not tell what others change there; 0: never, -1: for ever. On CephFS they are always asked for.",
		into: func(s *scope) any { return &s.settings.Cache.AttrLife }},
}

var kerberosKeys = []key{
	{name: "PrincipalName", kind: text, def: "nfs", doc: "Service principal."},
	{name: "KeytabPath", kind: pathname, doc: "Keytab."},
	{name: "CCacheDir", kind: pathname, def: "/var/run/ganesha", doc: "Credential cache."},
	{name: "Active_krb5", kind: boolean, def: "true", doc: "Whether Kerberos is in use."},
}

var directoryKeys = []key{
	{name: "DomainName", kind: text, effect: used, doc: "Domain of owner and group names, before that of NFSv4.",
		into: func(s *scope) any { return &s.settings.Directory.Domain }},
	{name: "Idmapping_Active", kind: boolean, def: "true", doc: "Whether names are mapped."},
	{name: "Idmapped_User_Time_Validity", kind: seconds(-1, math.MaxInt64), def: "-1", doc: "Life of a user."},
	{name: "Idmapped_Group_Time_Validity", kind: seconds(-1, math.MaxInt64), def: "-1", doc: "Life of a group."},
	{name: "Root_Kerberos_Principal", kind: manyOf("none", "nfs", "root", "host", "all"), doc: "Principals that are root."},
	{name: "Cache_Users_Max_Count", kind: number(0, maxI32), def: "2147483647", doc: "Users cached."},
	{name: "Cache_Groups_Max_Count", kind: number(0, maxI32), def: "2147483647", doc: "Groups cached."},
	{name: "Cache_User_Groups_Max_Count", kind: number(0, maxI32), def: "2147483647", doc: "Group lists cached."},
	{name: "Negative_Cache_Time_Validity", kind: seconds(0, math.MaxInt64), def: "300", doc: "Life of a failed lookup."},
	{name: "Negative_Cache_Users_Max_Count", kind: number(0, maxI32), def: "50000", doc: "Failed users cached."},
	{name: "Negative_Cache_Groups_Max_Count", kind: number(0, maxI32), def: "50000", doc: "Failed groups cached."},
	{name: "Cache_Reaping_Interval", kind: seconds(0, 3650*day), def: "0", doc: "Time between runs of the cleaner."},
	{name: "Max_Groups_Membership", kind: number(0, maxI32), def: "2000", doc: "Groups of one user at most."},
	{name: "Pwutils_Use_Fully_Qualified_Names", kind: boolean, def: "false", doc: "Names with their domain."},
	{name: "Pwnam_Implementation", kind: oneOf("nsswitch", "sssd"), def: "nsswitch", doc: "Source of users."},
	{name: "Sssd_Implementation_Timeout", kind: seconds(0, maxI32), def: "30", doc: "Time until a lookup fails."},
	{name: "Sssd_Implementation_Skip_Cache", kind: boolean, def: "false", doc: "Lookups without a cache."},
}

var tlsKeys = []key{
	{name: "Enable_TLS", kind: boolean, def: "false", doc: "Whether TLS is offered."},
	{name: "TLS_CA_File", kind: pathname, doc: "Authorities of clients."},
	{name: "TLS_Cert_File", kind: pathname, doc: "Certificate."},
	{name: "TLS_Key_File", kind: pathname, doc: "Its key."},
	{name: "TLS_Ciphers", kind: text, doc: "Ciphers."},
	{name: "TLS_Min_Version", kind: text, def: "TLSv1.3", doc: "Least version."},
	{name: "TLS_Session_Timeout", kind: seconds(1, day), def: "300", doc: "Life of a session."},
	{name: "Enable_KTLS", kind: boolean, def: "false", doc: "TLS in the kernel."},
	{name: "Enable_debug", kind: boolean, def: "false", doc: "Debugging."},
}

var nineKeys = []key{
	{name: "Nb_Worker", kind: number(1, 1<<17), def: "256", doc: "Worker threads."},
	{name: "_9P_TCP_Port", kind: number(1, maxU16), def: "564", doc: "Port."},
	{name: "_9P_RDMA_Port", kind: number(1, maxU16), def: "5640", doc: "Port for RDMA."},
	{name: "_9P_TCP_Msize", kind: octets(1024, maxU32), def: "65536", doc: "Size of a message."},
	{name: "_9P_RDMA_Msize", kind: octets(1024, maxU32), def: "1048576", doc: "Size of a message over RDMA."},
	{name: "_9P_RDMA_Backlog", kind: number(1, maxU16), def: "10", doc: "Connections that wait."},
	{name: "_9P_RDMA_Inpool_size", kind: number(1, maxU16), def: "64", doc: "Buffers for requests."},
	{name: "_9P_RDMA_Outpool_Size", kind: number(1, maxU16), def: "32", doc: "Buffers for replies."},
}

var qosKeys = rateKeys()

func rateKeys() (keys []key) {
	for _, name := range strings.Fields("enable_qos enable_tokens enable_bw_control enable_iops_control enable_ds_control " +
		"combined_rw_bw_control combined_rw_token_control combined_rw_iops_control") {
		keys = append(keys, key{name: name, kind: boolean, doc: "Whether this limit is in use."})
	}
	keys = append(keys, key{name: "qos_type", kind: oneOf("Per_Export", "Per_Client", "Per_Export_Per_Client"), doc: "What limits are for."})
	for _, who := range []string{"export", "client"} {
		for _, what := range []string{"combined_bw", "write_bw", "read_bw", "iops", "write_iops", "read_iops", "write_tokens", "read_tokens"} {
			keys = append(keys, key{name: "max_" + who + "_" + what, kind: number(0, math.MaxUint64), doc: "The limit."})
		}
		for _, what := range []string{"write", "read"} {
			keys = append(keys, key{name: who + "_" + what + "_tokens_renew_time", kind: number(0, math.MaxUint64), doc: "Time until tokens are new."})
		}
	}
	return keys
}
