package rpc

import "fmt"

// Status is the fate of a call: what Dispatch returns, and what a StatusError
// reports to the caller.
type Status uint32

// The statuses of an accepted call (RFC 5531, 9: accept_stat).
const (
	Success Status = iota
	ProgUnavail
	ProgMismatch
	ProcUnavail
	GarbageArgs
	SystemErr
)

// The statuses of a denied call (RFC 5531, 9: reject_stat and auth_stat).
const (
	RPCMismatch Status = 1 << 16

	authError        Status = 1 << 17
	AuthBadCred             = authError + 1
	AuthRejectedCred        = authError + 2
	AuthBadVerf             = authError + 3
	AuthRejectedVerf        = authError + 4
	AuthTooWeak             = authError + 5
	AuthInvalidResp         = authError + 6
	AuthFailed              = authError + 7
)

// Drop closes the connection instead of answering.
const Drop Status = 1 << 18

const (
	acceptLast = SystemErr
	authLast   = authError + 0xffff
)

var statusNames = map[Status]string{
	Success: "success", ProgUnavail: "program unavailable", ProgMismatch: "program version mismatch",
	ProcUnavail: "procedure unavailable", GarbageArgs: "garbage arguments", SystemErr: "system error",
	RPCMismatch: "RPC version mismatch", AuthBadCred: "bad credential", AuthRejectedCred: "credential rejected",
	AuthBadVerf: "bad verifier", AuthRejectedVerf: "verifier rejected", AuthTooWeak: "authentication too weak",
	AuthInvalidResp: "bogus response verifier", AuthFailed: "authentication failed", Drop: "connection dropped",
}

// String returns the status in words.
func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("status %#x", uint32(s))
}

// StatusError is what Conn.Call returns for a reply without results.
type StatusError struct {
	Status    Status
	Low, High uint32 // versions the peer supports, on ProgMismatch and RPCMismatch
}

// Error describes the reply.
func (e *StatusError) Error() string {
	if e.Status == ProgMismatch || e.Status == RPCMismatch {
		return fmt.Sprintf("rpc: %v: peer supports versions %d to %d", e.Status, e.Low, e.High)
	}
	return "rpc: " + e.Status.String()
}
