// Package rpc speaks ONC RPC version 2 over TCP (RFC 5531), in both directions
// of a connection.
//
// A Server accepts connections and runs the calls that arrive on them against a
// table of programs. A Conn carries calls either way: Conn.Call sends one to the
// peer, be the Conn a server's (an NFSv4.1 back channel) or a client's, made by
// Dial, which may serve programs in turn.
//
// # Concurrency
//
// The workers of a connection take turns at reading it. The one that reads, the
// leader, reads one record, passes the lead on, runs its call to the end, writes
// the reply itself and queues up for the lead again. So the calls of a connection
// run concurrently, up to Config.MaxInFlight, and are answered in the order in
// which they finish; when all workers are busy nobody reads and the peer feels it.
// An idle connection is one goroutine in a read and a few KiB.
//
// A leader that has read short calls ahead runs them itself and sends their
// replies together (turn.go): that takes half the time, and no call that turns out
// long holds up others for more than half a millisecond.
//
// # Memory
//
// Records and replies live in pooled buffers. A record's buffer grows as bytes
// arrive, whatever length its fragments announce. A Call, its arguments and its
// credential are valid until Dispatch returns.
package rpc
