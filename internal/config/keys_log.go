package config

import "strings"

var levels = oneOf("NULL", "FATAL", "MAJ", "CRIT", "WARN", "EVENT", "INFO", "DEBUG", "MID_DEBUG|M_DBG", "FULL_DEBUG|F_DBG")

func logBlocks() []block {
	return []block{
		{path: "LOG", doc: "What is logged.", keys: []key{
			{name: "Default_log_level", kind: levels, def: "EVENT", effect: used,
				doc:  "Least severe message to log: to CRIT are errors, WARN warnings, EVENT and INFO the ordinary, the rest is for debugging.",
				into: func(s *scope) any { return &s.settings.Log.Level }},
			{name: "RPC_Debug_Flags", kind: number(0, maxU32), def: "7", doc: "Debug flags of the RPC library."},
			{name: "Display_UTC_Timestamp", kind: boolean, def: "false", doc: "Times in UTC; they always are."},
		}},
		{path: "LOG/COMPONENTS", doc: "Levels of parts of ganesha.", keys: componentKeys()},
		{path: "LOG/FACILITY", doc: "Where the log goes; here it is standard error, or where ganesha.nfsd -L leads it: a file is opened anew at each reload.", repeats: true, keys: []key{
			{name: "name", kind: text, doc: "Name."},
			{name: "destination", kind: text, doc: "File, stderr, stdout or syslog."},
			{name: "max_level", kind: levels, def: "FULL_DEBUG", doc: "Least severe message."},
			{name: "headers", kind: oneOf("none", "component", "all"), def: "all", doc: "What stands before a message."},
			{name: "enable", kind: oneOf("idle", "active", "default"), def: "idle", doc: "Whether it is used."},
		}},
		{path: "LOG/FORMAT", doc: "What a line of the log holds.", keys: formatKeys()},
	}
}

const components = `ALL LOG LOG_EMERG MEMLEAKS LEAKS FSAL NFSPROTO NFS3 NFS_V4 NFS4 EXPORT FILEHANDLE FH DISPATCH DISP
	CACHE_INODE INODE MDCACHE CACHE_INODE_LRU INODE_LRU MDCACHE_LRU HASHTABLE HT HASHTABLE_CACHE HT_CACHE DUPREQ INIT
	NFS_STARTUP MAIN IDMAPPER NFS_READDIR NFS_V4_LOCK NFS4_LOCK CONFIG CLIENTID SESSIONS PNFS RW_LOCK NLM RPC TIRPC
	NFS_CB THREAD NFS_V4_ACL NFS4_ACL STATE 9P 9P_DISPATCH 9P_DISP FSAL_UP DBUS NFS_MSK XPRT QOS`

func componentKeys() (keys []key) {
	for _, name := range strings.Fields(components) {
		keys = append(keys, key{name: name, kind: levels, doc: "Level of this part."})
	}
	keys[0].doc, keys[0].effect = "The same as Default_log_level; of the two the last counts.", used
	keys[0].into = func(s *scope) any { return &s.settings.Log.Level }
	return keys
}

func formatKeys() (keys []key) {
	style := oneOf("ganesha", "true", "local", "8601", "ISO-8601", "ISO 8601", "ISO", "syslog", "syslog_usec", "false", "none", "user_defined")
	keys = []key{
		{name: "date_format", kind: style, def: "ganesha", doc: "Form of dates."},
		{name: "time_format", kind: style, def: "ganesha", doc: "Form of times."},
		{name: "user_date_format", kind: text, doc: "Form of dates, as for strftime."},
		{name: "user_time_format", kind: text, doc: "Form of times, as for strftime."},
	}
	for _, name := range strings.Fields("EPOCH CLIENTIP HOSTNAME PROGNAME PID THREAD_NAME FILE_NAME LINE_NUM FUNCTION_NAME COMPONENT LEVEL OP_ID CLIENT_REQ_XID") {
		keys = append(keys, key{name: name, kind: boolean, doc: "Whether a line holds it."})
	}
	return keys
}
