package export

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// The bounds of a memory.
const (
	maxEntries    = 4096
	maxUnderWay   = maxEntries / 2
	lookupTimeout = 20 * time.Second
	failureLife   = 2 * time.Second // how long a failure holds
	staleLife     = time.Hour       // how long what was found holds while nothing new can be
)

var errBusy = errors.New("too many lookups are under way")

// memory remembers what was found by key, and finds it once for all who ask at
// the same time. Who asks waits as long as his context lasts; the lookup goes on.
type memory[V any] struct {
	ctx      context.Context
	what     string
	log      *zap.Logger
	warnings *rate.Limiter
	find     func(context.Context, string) (V, error)

	mu       sync.Mutex
	entries  map[string]*entry[V] // Guarded by mu. At most maxEntries.
	underWay int                  // Guarded by mu. Lookups, at most maxUnderWay.
}

// entry is the outcome of one lookup, once done is closed; then it is immutable.
type entry[V any] struct {
	done  chan struct{}
	value V
	err   error
	found time.Time // when value was
	until time.Time // when it is to be looked up again
}

func newMemory[V any](ctx context.Context, what string, log *zap.Logger, find func(context.Context, string) (V, error)) *memory[V] {
	return &memory[V]{
		ctx: ctx, what: what, log: log, find: find,
		warnings: rate.NewLimiter(rate.Every(time.Minute), 1), entries: make(map[string]*entry[V]),
	}
}

func (e *entry[V]) finished() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// get returns what is found for key: the zero V if there is nothing.
func (m *memory[V]) get(ctx context.Context, key string) (v V, err error) {
	e, err := m.entry(key)
	if err != nil {
		return v, err
	}
	select {
	case <-e.done:
		return e.value, e.err
	case <-ctx.Done():
		return v, ctx.Err()
	}
}

// entry returns what is known or under way, or begins to look it up.
func (m *memory[V]) entry(key string) (*entry[V], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.entries[key]
	if old != nil && (!old.finished() || time.Now().Before(old.until)) {
		return old, nil
	}
	if m.underWay >= maxUnderWay {
		return nil, errBusy
	}
	if old == nil && len(m.entries) >= maxEntries {
		m.forgetLocked()
	}
	e := &entry[V]{done: make(chan struct{})}
	m.entries[key] = e
	m.underWay++
	go m.lookUp(key, e, old)
	return e, nil
}

// forgetLocked makes room for an entry. Half of them at least are finished.
func (m *memory[V]) forgetLocked() {
	for key, e := range m.entries { // in random order
		if e.finished() {
			delete(m.entries, key)
			return
		}
	}
}

// lookUp fills e in; old is what was known before, or nil.
func (m *memory[V]) lookUp(key string, e, old *entry[V]) {
	defer m.finish(e)
	ctx, cancel := context.WithTimeout(m.ctx, lookupTimeout)
	defer cancel()
	value, err := m.find(ctx, key)
	now := time.Now()
	switch {
	case err == nil || notFound(err):
		e.value, e.found, e.until = value, now, now.Add(lifetime)
		return
	case old != nil && old.err == nil && now.Sub(old.found) < staleLife:
		e.value, e.found = old.value, old.found
	default:
		e.err = err
	}
	e.until = now.Add(failureLife)
	if m.warnings.Allow() {
		m.log.Warn("clients are not judged by name: "+m.what+" cannot be found; the name service of this host does not answer",
			zap.String("of", key), zap.Error(err))
	}
}

func (m *memory[V]) finish(e *entry[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.underWay--
	close(e.done)
}
