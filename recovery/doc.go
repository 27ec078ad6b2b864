// Package recovery keeps, across crashes, the one thing that an NFSv4.1 server
// must remember about its clients: who may reclaim.
//
// A server that restarts has lost every open, lock and delegation. Its clients
// have not. During a grace period they claim them again, and the server, which
// has no record of single locks, believes them (RFC 8881, 8.4.2.1). It may do
// so only where nobody else can have held a conflicting lock since. RFC 8881,
// 8.4.3 names the two ways in which that goes wrong: a client whose lease ran
// out before the crash comes back after it, and a client that missed one grace
// period comes back in the next. Both are detected by a record per client in
// stable storage, and keeping those records is all that this package is about.
//
// # Epochs
//
// Records are kept in sets, a set per epoch. Stable storage holds a pair of
// epochs {C, R}. C is the current one; records are written to it alone. R is
// the one being recovered, or 0 outside a grace period. A grace period begins
// with one atomic step, {C, 0} to {C+1, C}, and ends with one, {C, R} to
// {C, 0}. In between nothing of R is touched. A crash inside a grace period
// changes neither epoch: the next run begins with the same pair, and whoever is
// on record in R or C may reclaim. Where both have a record of an owner, that
// of C counts, for it is the later one.
//
// The scheme that this replaces moved the current set onto the old one at every
// start. Two crashes inside one grace period then lost every client that had
// not been quick enough to come back in between.
//
// # Promises
//
// Each holds from the moment that a call returns nil, against a crash at any
// later time:
//
//   - Put: after a crash the client is on record, with what was put last.
//   - Remove: after a crash the client is not on record.
//   - Commit: the records are those of the clients that were put in this run and
//     not removed, and no others. It is one atomic step.
//   - Begin, Renew: the grace period that they report has begun, and who may
//     reclaim stays so until Commit.
//
// A call that returned an error, or that a crash cut off, has happened as a
// whole or not at all, and which of the two is not known until the next Begin.
// So a server grants a client its first state only after a Put that succeeded,
// grants what conflicts with a lapsed client's state only after its Remove or
// Put succeeded, and grants new state after a restart only after Commit
// succeeded. Until then it answers NFS4ERR_DELAY or NFS4ERR_GRACE.
package recovery
