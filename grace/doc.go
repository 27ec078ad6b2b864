// Package grace decides, after a restart, who may have what: reclaims until the
// grace period is over, new state from then on, and never both (RFC 8881,
// 8.4.2.1). It keeps the records of recovery as it goes.
//
// # The gate
//
// Whatever gives a client state passes the gate first, by Client.Enter, and
// leaves it, by Leave, when the state is given and seen by whoever looks for
// conflicts. The gate is one atomic word, a count of those inside and what may
// enter. To turn it, the controller bars it and waits until nobody is inside;
// so no reclaim is given state when new state is first given, and the other way
// round. Nobody waits inside for what another server may have left behind: that
// one does not come back before the gate has turned. While it is barred, new state
// is told GRACE and a reclaim DELAY, for the grace period may yet go on.
//
// Four kinds pass. NewState passes outside a grace period. Reclaim passes in
// one, of clients that were on record at the start and have not sent
// RECLAIM_COMPLETE. Harmless is state that could conflict only with a share
// reservation that denies, or a delegation: an OPEN that denies nothing, and
// I/O under a special stateid. It passes in a grace period too, as soon as no
// client that may still reclaim has such a thing by its record. There are no
// mandatory byte-range locks, and so I/O under the stateid of an open of this
// run need not ask. Delegated is an OPEN by a delegation of this run, which in a
// grace period was reclaimed: nobody can reclaim anything against it (RFC 8881,
// 10.2.1).
//
// # Records
//
// A client is on record before it is given its first state (Client.Record), is
// off it before somebody is given what conflicts with state that it lost
// (Client.Revoke, Client.Remove), and whoever missed the end of the grace period
// is marked before the first new state after it. These calls return only once
// storage has it, and say Delay where storage fails. At worst, then, clients
// wait for storage.
//
// The end of a grace period is a commit in the same sense. If storage refuses
// it, the grace period goes on: clients may go on reclaiming, none gets new
// state, and the controller tries again.
//
// # Whose record
//
// A client is known by its owner string alone: never by its address, which
// proxies and leases change, nor by its client ID, which is new after every
// restart. A Client here is one incarnation of an owner, as EXCHANGE_ID and
// CREATE_SESSION make them. A later one takes the record over, and what an
// earlier one still does to it is ignored.
//
// # Length
//
// A grace period lasts until every client that may reclaim has sent a global
// RECLAIM_COMPLETE, and at most for the configured period, or for the lease of
// the run before if that was longer, since clients of that run may be silent for
// so long. With nobody on record there is none.
package grace
