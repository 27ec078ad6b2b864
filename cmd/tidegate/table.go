package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/export"
	"github.com/tidegate/tidegate/nfs4"
)

// exportTable holds the exports of a running server. File systems are opened in
// the background, and tried again until they are there; meanwhile clients of the
// export are told to come again, and the others are served.
type exportTable struct {
	open    func(context.Context, exportSpec) (fsal.FS, error)
	opening chan struct{} // holds one for each open under way
	hosts   *export.Hosts
	log     *zap.Logger
	ctx     context.Context // of all tries and of hosts
	cancel  context.CancelFunc
	tries   sync.WaitGroup

	mu      sync.Mutex                 // held over publish: what is set last is in force
	publish func([]nfs4.Export) error  // Guarded by mu. nil: there is no server yet
	live    map[uint32]*liveExport     // Guarded by mu.
	refused []refusal                  // Guarded by mu. What clients do not see.
	leaving map[uint32]<-chan struct{} // Guarded by mu. Closed with the file system that last had the id.
}

// liveExport is an export with its file system.
type liveExport struct {
	spec exportSpec // Guarded by exportTable.mu.
	fs   *ownedFS   // Guarded by exportTable.mu. nil: not there yet
	err  error      // Guarded by exportTable.mu. Why it is not

	after <-chan struct{} // closed when the id is free; nil: it is
	gone  context.CancelFunc
	tried chan struct{} // closed after the first try
	ended chan struct{} // closed when there is no file system any more
}

// ownedFS is a file system that a server closes when the export is gone.
type ownedFS struct {
	fsal.FS
	ended chan struct{}
}

// Close gives back all that the file system holds: nobody will take it over.
func (o *ownedFS) Close() error {
	defer close(o.ended)
	if fs, ok := o.FS.(interface{ Retire() error }); ok {
		return fs.Retire()
	}
	return o.FS.Close()
}

// opensAtOnce bounds how many file systems are opened at the same time.
const opensAtOnce = 16

func newExportTable(open func(context.Context, exportSpec) (fsal.FS, error), log *zap.Logger) *exportTable {
	t := &exportTable{
		open: open, opening: make(chan struct{}, opensAtOnce), log: log,
		live: map[uint32]*liveExport{}, leaving: map[uint32]<-chan struct{}{},
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.hosts = export.NewHosts(t.ctx, export.Config{Log: log})
	return t
}

// attach puts the exports into a server, now and whenever they change.
func (t *exportTable) attach(publish func([]nfs4.Export) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := publish(t.offersLocked()); err != nil {
		return err
	}
	t.publish = publish
	for _, x := range t.live {
		t.reportLocked(x)
	}
	if len(t.live) == 0 {
		t.log.Warn("there are no exports")
	}
	return nil
}

// Close closes all file systems, and leaves what they hold to a successor. It does not
// wait for one that cannot be opened and does not fail either. The server must be closed.
func (t *exportTable) Close() {
	t.cancel()
	tried := make(chan struct{})
	go func() { defer close(tried); t.tries.Wait() }()
	select {
	case <-tried:
	case <-time.After(stopTime):
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.live {
		if x.fs == nil {
			continue
		}
		if err := x.fs.FS.Close(); err != nil {
			t.log.Warn("an export is not left to the next start", zap.String("pseudo", x.spec.pseudo), zap.Error(err))
		}
	}
}

// set puts specs in force, beside what is refused, and returns those that are new. An
// export whose id and source stay keeps its file system. An error leaves everything as
// it was.
func (t *exportTable) set(specs []exportSpec, refused []refusal) (fresh []*liveExport, err error) {
	if err := clash(specs); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.live
	t.live = make(map[uint32]*liveExport, len(specs))
	for _, spec := range specs {
		x := &liveExport{tried: make(chan struct{}), ended: make(chan struct{})}
		if old := before[spec.id]; old != nil && old.spec.source == spec.source {
			*x = *old
			spec.recovers = old.spec.recovers
		}
		x.spec = spec
		t.live[spec.id] = x
	}
	if t.publish != nil {
		if err := t.publish(t.offersLocked()); err != nil {
			t.live = before
			return nil, err
		}
	}
	t.refused = refused
	fresh = t.switchLocked(before)
	t.shareLocked()
	return fresh, nil
}

// switchLocked ends what was in before and is not in force any more, and begins
// what is new.
func (t *exportTable) switchLocked(before map[uint32]*liveExport) (fresh []*liveExport) {
	for id, old := range before {
		if x := t.live[id]; x != nil && x.ended == old.ended {
			old.spec = x.spec
			t.live[id] = old // whoever tries to open it knows this one
			continue
		}
		old.gone()
		t.leaving[id] = old.ended
	}
	for id, x := range t.live {
		if x.gone != nil {
			continue
		}
		x.after = t.leaving[id]
		delete(t.leaving, id)
		ctx, gone := context.WithCancel(t.ctx)
		x.gone = gone
		fresh = append(fresh, x)
		t.tries.Go(func() { t.bring(ctx, x) })
	}
	return fresh
}

const (
	retryFirst = time.Second
	retryLast  = 30 * time.Second
)

// bring opens x's file system, again and again until it is there or ctx ends.
func (t *exportTable) bring(ctx context.Context, x *liveExport) {
	defer x.gone()
	first := sync.OnceFunc(func() { close(x.tried) })
	defer first()
	if x.after != nil {
		select {
		case <-x.after:
		case <-t.ctx.Done():
		}
	}
	for wait := retryFirst; ctx.Err() == nil; wait = min(2*wait, retryLast) {
		if t.try(ctx, x) {
			return
		}
		first()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	close(x.ended)
}

// try opens x's file system and puts it in force, unless ctx ends.
func (t *exportTable) try(ctx context.Context, x *liveExport) bool {
	t.mu.Lock()
	spec := x.spec
	t.mu.Unlock()
	fs, err := t.openWhole(ctx, spec)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && ctx.Err() != nil {
		fs.Close()
		return false
	}
	if err == nil {
		x.fs = &ownedFS{fs, x.ended}
		t.shareLocked()
		if t.publish != nil {
			err = t.publish(t.offersLocked())
		}
		if err != nil {
			x.fs = nil
			fs.Close()
		}
	}
	known := x.err != nil && err != nil && x.err.Error() == err.Error()
	if x.err = err; t.publish != nil && !known {
		t.reportLocked(x)
	}
	return err == nil
}

// reportLocked logs whether x is served.
func (t *exportTable) reportLocked(x *liveExport) {
	what := []zap.Field{zap.String("pseudo", x.spec.pseudo), zap.Stringer("source", x.spec.source)}
	switch {
	case x.fs != nil:
		t.log.Info("exporting", what...)
	case x.err != nil:
		t.log.Error("an export is not served yet; it is tried again", append(what, zap.Error(x.err))...)
	}
}

// openWhole opens a file system and sees to it that its root can be read.
func (t *exportTable) openWhole(ctx context.Context, spec exportSpec) (fsal.FS, error) {
	select {
	case t.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.opening }()
	fs, err := t.open(ctx, spec)
	if err != nil {
		return nil, err
	}
	root, err := fs.Root(&fsal.Req{Context: ctx})
	if err != nil {
		fs.Close()
		return nil, fmt.Errorf("export %s: its root cannot be read: %w", spec.pseudo, err)
	}
	root.Put()
	return fs, nil
}

// offersLocked is what the server is to export.
func (t *exportTable) offersLocked() []nfs4.Export {
	offers := make([]nfs4.Export, 0, len(t.live))
	for _, x := range t.live {
		offer := x.spec.offer(t.hosts)
		if offer.FS = x.fs; x.fs == nil {
			offer.FS = absent{}
		}
		offers = append(offers, offer)
	}
	return offers
}

// offer is the export but for its file system.
func (x exportSpec) offer(hosts *export.Hosts) nfs4.Export {
	offer := nfs4.Export{ID: x.id, Path: x.pseudo}
	if x.terms != nil {
		offer = x.terms.Export(hosts)
	}
	offer.NoDelegations = x.noDelegations
	return offer
}

// await waits until all that is in exports was tried once, or ctx ends. It
// returns what became of those that are not there.
func (t *exportTable) await(ctx context.Context, exports []*liveExport) error {
	for _, x := range exports {
		select {
		case <-x.tried:
		case <-ctx.Done():
			return nil
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var failed []error
	for _, x := range exports {
		failed = append(failed, x.err)
	}
	return errors.Join(failed...)
}

// count returns how many exports there are.
func (t *exportTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.live)
}

// any reports whether an export is served.
func (t *exportTable) any() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.live {
		if x.fs != nil {
			return true
		}
	}
	return false
}

// exportState is an export for people and programs.
type exportState struct {
	ID     uint32 `json:"id"`
	Pseudo string `json:"pseudo"`
	FSAL   string `json:"fsal"`
	Source string `json:"source"`
	From   string `json:"from"`
	Served bool   `json:"served"`
	Error  string `json:"error,omitempty"`
}

// missing says of each export that is not served why.
func (t *exportTable) missing() (lines []string) {
	for _, x := range t.states() {
		if !x.Served {
			lines = append(lines, x.Pseudo+": "+cmp.Or(x.Error, "it is being opened"))
		}
	}
	return lines
}

// find returns the export of that id or place.
func (t *exportTable) find(name string) (exportState, bool) {
	for _, x := range t.states() {
		if x.Pseudo == name || strconv.FormatUint(uint64(x.ID), 10) == name {
			return x, true
		}
	}
	return exportState{}, false
}

// states lists the exports by their places.
func (t *exportTable) states() []exportState {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]exportState, 0, len(t.live)+len(t.refused))
	for _, x := range t.live {
		s := exportState{
			ID: x.spec.id, Pseudo: x.spec.pseudo, FSAL: x.spec.source.kind, Source: x.spec.source.String(),
			From: x.spec.from, Served: x.fs != nil,
		}
		if x.err != nil {
			s.Error = x.err.Error()
		}
		if s.ID == export.RootID {
			s.ID = 0
		}
		all = append(all, s)
	}
	for i := range t.refused {
		all = append(all, t.refused[i].state())
	}
	slices.SortFunc(all, func(a, b exportState) int { return cmp.Compare(a.Pseudo, b.Pseudo) })
	return all
}
