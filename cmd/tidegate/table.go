package main

import (
	"cmp"
	"context"
	"errors"
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
	opening chan struct{} // holds one for each open under way that counts
	hosts   *export.Hosts
	log     *zap.Logger
	ctx     context.Context // of all tries and of hosts
	cancel  context.CancelFunc
	tries   sync.WaitGroup

	// changing is held over a whole change, publish included, which waits for file
	// systems: what is set last is in force. It is taken before mu.
	changing sync.Mutex
	publish  func([]nfs4.Export) error  // Guarded by changing. nil: there is no server yet
	leaving  map[uint32]<-chan struct{} // Guarded by changing. Closed with the file system that last had the id.

	// mu is held over no call into a file system, so that who looks waits for none.
	// What it guards is changed with changing held, too; with that it is read without mu.
	mu      sync.Mutex
	live    map[uint32]*liveExport // Guarded by mu.
	refused []refusal              // Guarded by mu. What clients do not see.
}

// liveExport is an export with its file system.
type liveExport struct {
	spec exportSpec // Guarded by exportTable.mu.
	fs   *ownedFS   // Guarded by exportTable.mu. nil: not there yet
	err  error      // Guarded by exportTable.mu. Why it is not

	after <-chan struct{}    // closed when the id is free; nil: it is
	gone  context.CancelFunc // Guarded by exportTable.changing. Ends the tries.
	tried chan struct{}      // closed after the first try
	told  func()             // closes tried
	ended chan struct{}      // closed when there is no file system any more
}

func newLiveExport() *liveExport {
	x := &liveExport{tried: make(chan struct{}), ended: make(chan struct{})}
	x.told = sync.OnceFunc(func() { close(x.tried) })
	return x
}

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
	t.changing.Lock()
	defer t.changing.Unlock()
	if publish(t.offers(nil, nil)) != nil {
		if err := t.attachEach(publish); err != nil {
			return err
		}
	}
	t.publish = publish
	for _, x := range t.live {
		t.report(x)
	}
	if len(t.live) == 0 {
		t.log.Warn("there are no exports")
	}
	return nil
}

// attachEach puts the exports into a server one by one. The file systems that do not
// tell what they are like any more are opened anew. Called with changing.
func (t *exportTable) attachEach(publish func([]nfs4.Export) error) error {
	opened := make(map[*liveExport]*ownedFS)
	for _, x := range t.live {
		if x.fs != nil {
			opened[x] = x.fs
			t.note(x, nil, nil)
		}
	}
	if err := publish(t.offers(nil, nil)); err != nil {
		for x, fs := range opened { // are closed as any
			t.note(x, fs, nil)
		}
		return err
	}
	for x, fs := range opened {
		err := publish(t.offers(x, fs))
		if err == nil {
			t.note(x, fs, nil)
			continue
		}
		t.note(x, nil, err)
		closed, pseudo := make(chan struct{}), x.spec.pseudo
		x.after = closed
		t.tries.Go(func() { defer close(closed); t.discard(t.ctx, pseudo, fs.FS) })
		t.begin(x)
	}
	return nil
}

// Close closes all file systems, and leaves what they hold to a successor. It does not
// wait for one that cannot be opened or closed and does not fail either. The server
// must be closed.
func (t *exportTable) Close() {
	t.cancel()
	within(stopTime, &t.tries)
	t.changing.Lock()
	defer t.changing.Unlock()
	var closing sync.WaitGroup
	for _, x := range t.live {
		if fs, pseudo := x.fs, x.spec.pseudo; fs != nil {
			closing.Go(func() { t.discard(t.ctx, pseudo, fs.FS) })
		}
	}
	if !within(stopTime, &closing) {
		t.log.Warn("there are exports that do not close")
	}
}

// within waits for tasks, but no longer than limit, and reports whether they ended.
func within(limit time.Duration, tasks *sync.WaitGroup) bool {
	ended := make(chan struct{})
	go func() { defer close(ended); tasks.Wait() }()
	select {
	case <-ended:
		return true
	case <-time.After(limit):
		return false
	}
}

// set puts specs in force, beside what is refused, and returns those that are new. An
// export whose id and source stay keeps its file system. An error leaves everything as
// it was.
func (t *exportTable) set(specs []exportSpec, refused []refusal) (fresh []*liveExport, err error) {
	if err := clash(specs); err != nil {
		return nil, err
	}
	t.changing.Lock()
	defer t.changing.Unlock()
	next := make(map[uint32]*liveExport, len(specs))
	offers := make([]nfs4.Export, 0, len(specs))
	specs = slices.Clone(specs)
	for i := range specs {
		spec := &specs[i]
		x := t.live[spec.id]
		if x != nil && x.spec.source == spec.source {
			spec.recovers = x.spec.recovers
		} else {
			x = newLiveExport()
		}
		next[spec.id] = x
		offers = append(offers, spec.offer(t.hosts, x.fs))
	}
	if t.publish != nil {
		if err := t.publish(offers); err != nil {
			return nil, err
		}
	}
	before := t.live
	t.mu.Lock()
	for _, spec := range specs {
		next[spec.id].spec = spec
	}
	t.live, t.refused = next, refused
	t.mu.Unlock()
	fresh = t.follow(before)
	t.share()
	return fresh, nil
}

// follow ends what was in before and is not in force any more, and begins what is
// new. Called with changing.
func (t *exportTable) follow(before map[uint32]*liveExport) (fresh []*liveExport) {
	for id, old := range before {
		if t.live[id] != old {
			old.gone()
			t.leaving[id] = old.ended
		}
	}
	for id, x := range t.live {
		if before[id] == x {
			continue
		}
		x.after = t.leaving[id]
		delete(t.leaving, id)
		fresh = append(fresh, x)
		t.begin(x)
	}
	return fresh
}

// note sets what became of x's file system. Called with changing.
func (t *exportTable) note(x *liveExport, fs *ownedFS, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.fs, x.err = fs, err
}

// report logs whether x is served. Called with changing.
func (t *exportTable) report(x *liveExport) {
	what := []zap.Field{zap.String("pseudo", x.spec.pseudo), zap.Stringer("source", x.spec.source)}
	switch {
	case x.fs != nil:
		t.log.Info("exporting", what...)
	case x.err != nil:
		t.log.Error("an export is not served yet; it is tried again", append(what, zap.Error(x.err))...)
	}
}

// offers is what the server is to export: what is in force, but with fs as the file
// system of one. Called with changing.
func (t *exportTable) offers(one *liveExport, fs *ownedFS) []nfs4.Export {
	offers := make([]nfs4.Export, 0, len(t.live))
	for _, x := range t.live {
		has := x.fs
		if x == one {
			has = fs
		}
		offers = append(offers, x.spec.offer(t.hosts, has))
	}
	return offers
}

// offer is the export with its file system, if that is there.
func (x *exportSpec) offer(hosts *export.Hosts, fs *ownedFS) nfs4.Export {
	offer := nfs4.Export{ID: x.id, Path: x.pseudo}
	if x.terms != nil {
		offer = x.terms.Export(hosts)
	}
	offer.NoDelegations = x.noDelegations
	if offer.FS = fs; fs == nil {
		offer.FS = absent{}
	}
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
			ID: x.spec.number(), Pseudo: x.spec.pseudo, FSAL: x.spec.source.kind, Source: x.spec.source.String(),
			From: x.spec.from, Served: x.fs != nil,
		}
		if x.err != nil {
			s.Error = x.err.Error()
		}
		all = append(all, s)
	}
	for i := range t.refused {
		all = append(all, t.refused[i].state())
	}
	slices.SortFunc(all, func(a, b exportState) int { return cmp.Compare(a.Pseudo, b.Pseudo) })
	return all
}
