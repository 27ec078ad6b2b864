// Package cluster keeps the grace database, by which the servers of a cluster
// agree on grace periods: none gives new state while any still has clients that
// may reclaim. Its formats are nfs-ganesha's, byte for byte, so that servers of
// both kinds can live in one cluster.
//
// The database is one object: a body of 16 bytes, the epochs cur and rec in
// little-endian order, and an omap with a byte of Flags for each node. DB is its
// state machine, pure; Database puts it on a Pool, with one read and one write
// that holds only for the version read, again when somebody was faster.
package cluster
