package nfs4

import "hash/maphash"

// A request longer than digestWhole is told from another by its length and its
// first digestPart bytes: its operations, but not the data of a WRITE, which a
// client may change between a request and its retry.
const (
	digestWhole = 1024
	digestPart  = 64
)

// digest tells a request from another in the same slot by what follows
// SEQUENCE, whose highest_slotid may differ in a retry.
func (s *Server) digest(ops []byte) uint64 {
	n := len(ops)
	if n > digestWhole {
		ops = ops[:digestPart]
	}
	return maphash.Bytes(s.seed, ops) ^ uint64(n)
}
