// Package state keeps what the server promises its clients: client ids,
// sessions with their slots, opens with share reservations, byte-range locks
// and delegations, all under leases.
//
// The package knows nothing of XDR, RPC or wire types, and does no I/O but
// through fsal.File. Its ids route: a session id and a stateid carry the boot
// epoch and the client's index, so that an id of an earlier run is seen by
// comparison, an id of another client is refused in one place, and no global
// table of stateids exists.
//
// # Locks
//
// The order, outermost first; none is held over a wait for another client:
//
//	Open.mu       serialises what changes one open; held over fsal calls
//	File.locking  serialises byte-range locks of a file; held over fsal calls
//	Store.mu      the table of owners: EXCHANGE_ID, CREATE_SESSION, expiry
//	Client.mu     a client's maps
//	File.mu       share reservations, locks and delegations of one file
//	fileShard.mu  the table of files
//	table.mu      a table of ids
//	Slot.mu       one slot
//
// SEQUENCE, and I/O under a stateid, take no lock but Slot.mu.
package state

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/grace"
)

// ClientID is a clientid4: boot epoch (32 bits), index (20) and generation (12).
type ClientID uint64

// String names the principal for people.
func (p Principal) String() string { return fmt.Sprintf("uid %d, flavor %d", p.UID, p.Flavor) }

// SessionID is a sessionid4: boot epoch (4 bytes), client index (4), random (8).
type SessionID [16]byte

// Principal is who stands behind a request, as far as the security flavour tells.
type Principal struct {
	Flavor uint32
	UID    uint32
}

// Config is what a Store is made of.
type Config struct {
	Epoch    uint32        // of this run; differs from that of every earlier one
	Lease    time.Duration // how long a silent client keeps its state
	Courtesy time.Duration // how much longer it does while nobody conflicts
	Limits   Limits
	Now      func() time.Time
	// RefuseDuplicates turns away a client whose owner string another uses.
	RefuseDuplicates bool
	// Grace says who may have what after a restart, and keeps the records.
	Grace *grace.Controller
	// Callbacks tells clients of recalls and free locks.
	Callbacks Callbacks
}

// Store holds all clients and all files that have state.
type Store struct {
	cfg     Config
	started time.Time
	clients table[Client]
	files   fileTable

	delegations quota
	contended   contention
	count       counters

	mu     sync.Mutex
	owners map[string]*owner // Guarded by mu.
	doomed []dropper         // Guarded by mu. Left to drop when mu is released.
}

// New returns an empty Store.
func New(cfg Config) *Store {
	s := &Store{cfg: cfg, started: cfg.Now(), owners: make(map[string]*owner)}
	s.clients.limit = min(maxIndex, uint32(cfg.Limits.Clients))
	s.files.init()
	s.contended.seed = maphash.MakeSeed()
	return s
}

// Lease returns how long a silent client keeps its state.
func (s *Store) Lease() time.Duration { return s.cfg.Lease }

// background stands behind what no client asks for: dropping locks, say.
var background = &fsal.Req{Context: context.Background()}

// now is the time since the Store was made, in nanoseconds.
func (s *Store) now() int64 { return int64(s.cfg.Now().Sub(s.started)) }

const (
	indexBits = 20
	maxIndex  = 1 << indexBits
)

func makeClientID(epoch, index, gen uint32) ClientID {
	return ClientID(uint64(epoch)<<32 | uint64(index)<<12 | uint64(gen&0xfff))
}

func (id ClientID) epoch() uint32 { return uint32(id >> 32) }
func (id ClientID) index() uint32 { return uint32(id) >> 12 }

func makeSessionID(id ClientID) (sid SessionID) {
	binary.BigEndian.PutUint32(sid[0:], id.epoch())
	binary.BigEndian.PutUint32(sid[4:], id.index())
	rand.Read(sid[8:])
	return sid
}

// client returns the client that id names, confirmed or not.
func (s *Store) client(id ClientID) *Client {
	if id.epoch() != s.cfg.Epoch {
		return nil
	}
	if c := s.clients.load(id.index()); c != nil && c.ID == id {
		return c
	}
	return nil
}

// Session returns the session that id names, or BadSession (RFC 8881, 18.46.3).
func (s *Store) Session(id SessionID) (*Session, error) {
	if binary.BigEndian.Uint32(id[0:]) != s.cfg.Epoch {
		return nil, BadSession
	}
	c := s.clients.load(binary.BigEndian.Uint32(id[4:]))
	if c == nil {
		return nil, BadSession
	}
	for _, ss := range *c.sessions.Load() {
		if ss.ID == id {
			return ss, nil
		}
	}
	return nil, BadSession
}

// reference is a counter that cannot be taken again once it fell to zero.
type reference struct{ n atomic.Int32 }

func (r *reference) init() { r.n.Store(1) }

func (r *reference) get() bool {
	for {
		n := r.n.Load()
		if n == 0 {
			return false
		}
		if r.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// put reports whether the last reference went.
func (r *reference) put() bool { return r.n.Add(-1) == 0 }
