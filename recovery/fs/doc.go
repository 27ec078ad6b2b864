// Package fs keeps client records in a directory of a local file system.
//
// # Layout
//
//	DIR/epochs          which epochs there are: the pair {C, R}
//	DIR/epoch-C/HASH    a client record; HASH is the SHA-256 of the owner, in hex
//	DIR/epoch-R/HASH    the same, of the epoch being recovered
//	DIR/lock            locked with flock(2) while a server runs; holds its pid
//
// Owner strings are any bytes, up to 1024 of them, and so no file names. Their
// hash is one. There are never more than two epochs, and but for the moment
// after a grace period and the leavings of a crash never more than two
// directories.
//
// Both kinds of file are lines of text, a key and a value each, between a first
// line that tells the kind and version, and a last one with a CRC-32C, in hex,
// of all lines before it. Strings are quoted as in Go, so that any bytes
// survive and people can read them:
//
//	tidegate epochs 1           tidegate client 1
//	current 6                   owner "Linux NFSv4.1 build7"
//	recovering 5                principal "sys:0"
//	run 9                       address "10.0.0.7:871"
//	floor 8                     run 9
//	lease 1m0s                  flag exclusive
//	crc32c 5ad94a1c             handle "\x01\x00\x2a"
//	                            crc32c 01b4c0d7
//
// Flags are exclusive, revoked, incomplete, removed; flag and handle repeat.
//
// # Runs and the floor
//
// Every start is a run and has a number. A record bears that of the run which
// wrote it. The floor is what makes the end of a grace period one atomic step:
// Commit writes {current C, recovering 0, floor = this run}, and from then on a
// record of an earlier run is void. It belonged to a client that came back
// before a crash inside the grace period, and not again after it. The floor
// applies to the epoch that is settled: R inside a grace period, C outside one.
//
// A client removed during a grace period leaves a record with the flag removed
// in C, which hides the one in R; R itself is never touched. Outside a grace
// period its file goes.
//
// # What is durable when
//
// A file is replaced by writing another beside it (NAME.tmp), syncing that,
// renaming it, and syncing the directory, and no call returns before the last
// of these. A directory that the pair is about to name is synced into its
// parent before the pair is. A new epoch's directory is made only after
// leavings under its name are gone, and durably so. Concurrent Puts write and
// sync their files side by side and share the directory's syncs.
//
// # Damage
//
// A pair that cannot be read stops the server: who may reclaim cannot be known,
// and both to let everybody and to let nobody would break a promise. The error
// says how to go on. A single record that cannot be read bars its owner, as
// RFC 8881, 8.4.3 demands; in C it bars the owner even if R has a good record.
// It is reported in Start.Notes, and the server starts.
package fs
