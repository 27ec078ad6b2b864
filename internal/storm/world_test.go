package storm

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

const (
	actorsPerClient = 2
	maxSessions     = 2
	hotFiles        = 16
	maxFleeting     = 48
	maxFailures     = 10
)

// world is what all clients of a storm share.
type world struct {
	t     *testing.T
	ctx   context.Context // ends when the storm takes far too long
	seed  uint64
	addr  string
	lease time.Duration
	begun time.Time
	over  chan struct{} // closed when the clients are to leave

	serial   atomic.Uint64
	failures atomic.Int32

	mu       sync.Mutex
	counts   map[string]int // Guarded by mu. What happened, and how often.
	files    []*file        // Guarded by mu. All that there ever were; the hot ones first.
	fleeting []*file        // Guarded by mu. Those that are there to be opened.
}

func newWorld(t *testing.T, ctx context.Context, seed uint64, addr string, lease time.Duration) *world {
	return &world{
		t: t, ctx: ctx, seed: seed, addr: addr, lease: lease, begun: time.Now(),
		over: make(chan struct{}), counts: make(map[string]int),
	}
}

func (w *world) now() time.Duration { return time.Since(w.begun) }

func (w *world) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what]++
}

func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

func fork(rng *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())) }

// failf fails the test; the first few times it says why.
func (w *world) failf(format string, args ...any) {
	if w.failures.Add(1) <= maxFailures {
		w.t.Errorf("seed %d: %s", w.seed, fmt.Sprintf(format, args...))
	}
}

// superuser is whom all clients act for.
func superuser() rpc.Cred { return rpc.Cred{Flavor: rpc.AuthSys} }

// makeHot makes the files that stay.
func (w *world) makeHot() error {
	s, err := client.Mount(w.ctx, w.addr, client.Config{Cred: superuser()}, wire.ClientOwner{OwnerID: []byte("maker")})
	if err != nil {
		return err
	}
	defer s.Close()
	root, err := s.Lookup(w.ctx, "/")
	if err != nil {
		return err
	}
	for i := range hotFiles {
		f := &file{name: fmt.Sprintf("hot%d", i)}
		o, err := s.Open(w.ctx, root, f.name, client.OpenOptions{Create: true, Mode: 0o666})
		if err != nil {
			return err
		}
		if err := s.CloseFile(w.ctx, o); err != nil {
			return err
		}
		w.files = append(w.files, f)
	}
	if err := s.Destroy(w.ctx); err != nil {
		return err
	}
	return s.Client.Destroy(w.ctx)
}

// pick returns a file to do something with.
func (w *world) pick(rng *rand.Rand) *file {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.fleeting); n > 0 && rng.IntN(2) == 0 {
		return w.fleeting[rng.IntN(n)]
	}
	return w.files[rng.IntN(hotFiles)]
}

// publish offers a new file to all.
func (w *world) publish(f *file) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = append(w.files, f)
	w.fleeting = append(w.fleeting, f)
}

// withdraw returns a file for the caller alone to remove, or nil.
func (w *world) withdraw(rng *rand.Rand) *file {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.fleeting)
	if n < maxFleeting/2 {
		return nil
	}
	i := rng.IntN(n)
	f := w.fleeting[i]
	w.fleeting = slices.Delete(w.fleeting, i, i+1)
	return f
}

func (f *file) handle() wire.FH {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fh
}

func (f *file) setHandle(fh wire.FH) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fh = fh
}

// host is a machine: one client after another with one owner string, or with
// another when it gave the old one up.
func (w *world) host(n int) {
	rng := rand.New(rand.NewPCG(w.seed, uint64(n)))
	owner, names := fmt.Sprintf("host%d", n), 0
	var before *peer
	for w.ctx.Err() == nil {
		select {
		case <-w.over:
			return
		default:
		}
		p := w.join(rng, owner, before)
		before = p
		if p.live(rng) {
			w.count("clients that left in order")
			before = nil
		} else if rng.IntN(2) == 0 {
			names++
			owner, before = fmt.Sprintf("host%d-%d", n, names), nil
		}
	}
}

// await returns when the storm is to end.
func (w *world) await(last time.Duration, expected []string) {
	for end := time.After(last + patience); ; {
		select {
		case <-end:
			return
		case <-time.After(last):
			if len(w.missing(expected)) == 0 {
				return
			}
			last = time.Second
		}
	}
}

// missing returns what did not happen yet.
func (w *world) missing(expected []string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(expected), func(what string) bool { return w.counts[what] > 0 })
}

// report logs what happened, and fails for what did not.
func (w *world) report(expected []string) {
	for _, what := range w.missing(expected) {
		w.failf("no %s", what)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprintf("seed %d, %v", w.seed, w.now().Round(time.Millisecond))
	for _, what := range slices.Sorted(maps.Keys(w.counts)) {
		text += fmt.Sprintf("\n%8d %s", w.counts[what], what)
	}
	w.t.Log(text)
}

// check compares all that happened with the model.
func (w *world) check() {
	for _, f := range w.files {
		for _, wrong := range f.check() {
			w.failf("%s", wrong)
		}
	}
}
