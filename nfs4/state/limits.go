package state

// Limits bound what clients can make the Store keep.
type Limits struct {
	Clients           int
	SessionsPerClient int
	SlotsPerSession   int // fore channel
	Slots             int // of all sessions; beyond it sessions are asked to use fewer
	CourtesyClients   int // clients that keep state after their lease
	StateidsPerClient int // opens, locks and delegations together
	LocksPerFile      int
	Delegations       int    // of all clients
	MaxRequest        uint32 // bytes of a request, as in ca_maxrequestsize
	MaxResponse       uint32 // bytes of a reply
	MaxCached         uint32 // bytes of a reply that is kept for a retry
	MaxOperations     uint32 // operations in a COMPOUND
}

// DefaultLimits suit a gateway of 24 GiB with 1,000 clients.
func DefaultLimits() Limits {
	return Limits{
		Clients:           10_000,
		SessionsPerClient: 16,
		SlotsPerSession:   64,
		Slots:             128_000,
		CourtesyClients:   1000,
		StateidsPerClient: 200_000,
		LocksPerFile:      100_000,
		Delegations:       500_000,
		MaxRequest:        1<<20 + 4096,
		MaxResponse:       1<<20 + 4096,
		MaxCached:         8192,
		MaxOperations:     64,
	}
}
