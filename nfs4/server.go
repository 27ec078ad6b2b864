// Package nfs4 serves NFSv4.1 and 4.2 (RFC 8881, 7862, 8276): the COMPOUND
// engine, the operations, the attribute table and the pseudo file system.
//
// A COMPOUND is walked one row of the operation table at a time. The row says
// what must hold before the operation runs; the operation decodes its arguments
// from the request and appends its result to the one reply buffer.
package nfs4

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/meter"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// Program is the RPC program number of NFS; Version its only version here.
const (
	Program = 100003
	Version = 4
)

// Config is what a Server is made of.
type Config struct {
	State   state.Config // but for its Callbacks
	Exports []Export
	// HandleKey makes file handles that nobody else can make: the same for all
	// servers of the same file systems, at every start. Empty is a random one,
	// whose handles end with the Server.
	HandleKey []byte
	// Major tells this server from others that do not share its sessions, Scope
	// is one for all servers of the same file systems (RFC 8881, 2.10.4).
	Major, Scope string
	Impl         string // what EXCHANGE_ID tells of the server: name and version
	// Minors are the first and the last minor version to serve; zero: 1 and 2.
	Minors [2]uint32
	Owners Owners // nil: users and groups are numbers
	UTF8   bool   // names that are no UTF-8 are refused, and else taken byte for byte
	Log    *zap.Logger
}

// Server answers NFSv4 calls.
type Server struct {
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	closing   sync.Mutex // no callback begins while it is held
	callbacks sync.WaitGroup

	cfg       Config
	state     *state.Store
	tree      atomic.Pointer[tree]
	log       *zap.Logger
	compounds sync.Pool
	seed      maphash.Seed
	linkMu    sync.Mutex // makes links
	links     uint       // Guarded by linkMu. Made so far.

	exporting sync.Mutex       // held around a change of tree
	gates     map[uint32]*gate // Guarded by exporting. Before IDs that are not cleared.
	uses      map[fsal.FS]int  // Guarded by exporting. Exports in force or not cleared.

	meter      *meter.Meter
	warnings   *rate.Limiter // of what clients cause
	faults     *rate.Limiter // that are logged
	duplicates atomic.Uint64
}

// New returns a Server for the exports. Errors say which exports clash.
func New(cfg Config) (*Server, error) {
	if cfg.Minors == [2]uint32{} {
		cfg.Minors = [2]uint32{1, 2}
	}
	if cfg.Owners == nil {
		cfg.Owners = numbers{}
	}
	seal, err := newSeal(cfg.HandleKey)
	if err != nil {
		return nil, err
	}
	tree, err := newTree(cfg.Exports, seal, nil)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, gates: make(map[uint32]*gate), uses: make(map[fsal.FS]int), log: cfg.Log, seed: maphash.MakeSeed(), meter: meter.New(kinds),
		warnings: rate.NewLimiter(rate.Every(time.Minute), 1), faults: rate.NewLimiter(rate.Every(time.Second), 10)}
	s.tree.Store(tree)
	s.count(nil, tree)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	cfg.State.Callbacks = s
	s.state = state.New(cfg.State)
	s.compounds.New = func() any { return new(compound) }
	s.watch(cfg.Exports)
	return s, nil
}

// State returns the Server's Store.
func (s *Server) State() *state.Store { return s.state }

// Close ends the callbacks under way; no other begins.
func (s *Server) Close() {
	s.closing.Lock()
	s.cancel()
	s.closing.Unlock()
	s.callbacks.Wait()
}

// Program returns the row that puts the Server into an rpc.Server.
func (s *Server) Program() rpc.Program {
	return rpc.Program{Number: Program, Low: Version, High: Version, Dispatch: s.dispatch}
}

const (
	procNull     = 0
	procCompound = 1
)

func (s *Server) dispatch(call *rpc.Call) rpc.Status {
	switch call.Proc {
	case procNull:
		s.linkOf(call.Conn).lane.Count(kindNull, 0, 0)
		return rpc.Success
	case procCompound:
		c := s.compounds.Get().(*compound)
		defer s.compounds.Put(c)
		return c.serve(s, call)
	}
	return rpc.ProcUnavail
}
