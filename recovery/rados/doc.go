// Package rados keeps client records in a pool of Ceph, as nfs-ganesha does, so
// that either server can take over from the other.
//
// # Layout
//
//	rec-%016x:NODE        the records of a node in an epoch: an omap and no body
//	tidegate-run          the number of the last run of any server, in 8 bytes
//	tidegate-astray:NODE  questions of others about sessions of the node's last run
//
// The epochs are those of the grace database of package cluster. A key is a
// number in decimal, of no meaning to any reader. The value is what package
// ganesha says, with a byte 0 behind it, for nfs-ganesha reads up to one.
//
// nfs-ganesha lets everybody reclaim who has a key, and ends a grace period early
// when all of them have. So who is on record and may not reclaim has none, but an
// extended attribute of the same object, tidegate.barred.KEY: the letters of its
// flags, a blank, and the value. Three more attributes say which run wrote the
// object (tidegate.run), the lease (tidegate.lease), and that the node's part of
// the grace period is over (tidegate.settled).
//
// # What is durable when
//
// Every change of a set of records is one atomic operation, which holds only for
// the version of the object that was read or written last. Concurrent changes
// share operations. Who finds the object changed reads it again; if another run
// has written to it, another server has taken this node's place, and this one
// records nothing any more.
//
// Begin and Renew write the current epoch's set before they report it. Commit
// takes from it whoever was not put in this run, and says in the same operation
// that it is settled: from then on the epoch being recovered does not count. Its
// set stays, for nfs-ganesha would look for it there, until Settle, when no server
// is in a grace period any more. Who is removed or barred before that goes from
// it too: who is removed, there first, and who is barred, there last, so that a
// crash in between leaves the later of the two records to count.
package rados
