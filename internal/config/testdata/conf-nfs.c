MDCACHE { Dir_Chunk = 0; Entries_HWMark = 10000; }
EXPORT_DEFAULTS { Attr_Expiration_Time = 0; }
LOG { COMPONENTS { ALL = EVENT; NFS4 = F_DBG; } }
CEPH { umask = 022; }

%url "rados://.nfs/c/export-1"

%url "rados://.nfs/c/export-2"

