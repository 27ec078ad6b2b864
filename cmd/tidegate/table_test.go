package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/nfs4"
)

// A file system that cannot be opened and does not fail either holds no stop up, and
// neither do those that wait for it to be.
func TestCloseHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		table := newExportTable(func(context.Context, exportSpec) (fsal.FS, error) {
			<-hung
			return absent{}, nil
		}, zap.NewNop())
		var specs []exportSpec
		for id := range uint32(2 * opensAtOnce) {
			specs = append(specs, memSpec(id+1))
		}
		if _, err := table.set(specs, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		table.Close()
		if took := time.Since(began); took != stopTime {
			t.Errorf("it took %v", took)
		}
		close(hung)
		table.tries.Wait()
	})
}

// However many file systems hang, others are opened.
func TestOpenBesideHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		table := newExportTable(func(_ context.Context, x exportSpec) (fsal.FS, error) {
			if x.id != 1 {
				<-hung
			}
			return mem.New(mem.Config{}), nil
		}, zap.NewNop())
		var specs []exportSpec
		for id := range uint32(2 * opensAtOnce) {
			specs = append(specs, memSpec(id+2))
		}
		mustSet(t, table, specs...)
		synctest.Wait()
		mustSet(t, table, append(specs, memSpec(1))...)
		began := time.Now()
		for synctest.Wait(); !table.any(); synctest.Wait() {
			if time.Sleep(time.Second); time.Since(began) > 3*openTime {
				t.Error("none is opened")
				break
			}
		}
		close(hung)
		synctest.Wait()
		if missing := table.missing(); len(missing) != 0 {
			t.Errorf("missing are %q", missing)
		}
		table.Close()
	})
}

func memSpec(id uint32) exportSpec {
	return exportSpec{id: id, pseudo: fmt.Sprint("/", id), source: source{kind: config.MEM}}
}

// endings notes how file systems were closed.
type endings struct {
	mu  sync.Mutex
	all []string // Guarded by mu.
}

func (e *endings) note(what string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, what)
	return errors.New("it did not close well")
}

func (e *endings) said() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.all)
}

// leased is a file system that tells a stop from the end of its use.
type leased struct {
	fsal.FS
	name string
	*endings
	slow chan struct{} // Retire waits for it; nil: it does not
}

func (l leased) Close() error { return l.note(l.name + " closed") }

func (l leased) Retire() error {
	if l.slow != nil {
		<-l.slow
	}
	return l.note(l.name + " retired")
}

// A file system that is opened when its export is gone by then, or the server stops, is
// given back as one in force would be, before another with its id is opened. That is no
// fault of the export.
func TestGoneMeanwhile(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*testing.T, *exportTable)
		want []string
	}{
		{"removed", func(t *testing.T, x *exportTable) { mustSet(t, x) }, []string{"first opens", "first retired"}},
		{"another source", func(t *testing.T, x *exportTable) {
			spec := memSpec(1)
			spec.source.dir = "second"
			mustSet(t, x, spec)
		}, []string{"first opens", "first retired", "second opens"}},
		{"stopped", func(_ *testing.T, x *exportTable) { x.cancel() }, []string{"first opens", "first closed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ends endings
				slow := make(chan struct{})
				core, said := observer.New(zap.ErrorLevel)
				table := newExportTable(func(ctx context.Context, x exportSpec) (fsal.FS, error) {
					if x.id == 2 {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					ends.note(x.source.dir + " opens")
					if x.source.dir == "first" {
						<-slow
					}
					return leased{mem.New(mem.Config{}), x.source.dir, &ends, nil}, nil
				}, zap.New(core))
				defer table.Close()
				if err := table.attach(func([]nfs4.Export) error { return nil }); err != nil {
					t.Fatal(err)
				}
				spec := memSpec(1)
				spec.source.dir = "first"
				mustSet(t, table, spec, memSpec(2))
				synctest.Wait()
				test.end(t, table)
				synctest.Wait()
				close(slow)
				synctest.Wait()
				if got := ends.said(); !slices.Equal(got, test.want) {
					t.Errorf("got %q, want %q", got, test.want)
				}
				for _, line := range said.All() {
					t.Errorf("the log says %q %v", line.Message, line.ContextMap())
				}
			})
		})
	}
}

func mustSet(t *testing.T, table *exportTable, specs ...exportSpec) {
	t.Helper()
	if _, err := table.set(specs, nil); err != nil {
		t.Fatal(err)
	}
}

// A file system that hangs when its export is removed holds up what takes its id, and
// no stop for long.
func TestRetireHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends endings
		slow := make(chan struct{})
		table := newExportTable(func(_ context.Context, x exportSpec) (fsal.FS, error) {
			ends.note(x.source.dir + " opens")
			return leased{mem.New(mem.Config{}), x.source.dir, &ends, slow}, nil
		}, zap.NewNop())
		var inForce []nfs4.Export
		if err := table.attach(func(offers []nfs4.Export) error { inForce = offers; return nil }); err != nil {
			t.Fatal(err)
		}
		first, second := memSpec(1), memSpec(1)
		first.source.dir, second.source.dir = "first", "second"
		mustSet(t, table, first)
		synctest.Wait()
		fs := inForce[0].FS
		mustSet(t, table, second)
		if err := fs.Close(); err != nil { // as the server does
			t.Error(err)
		}
		synctest.Wait()
		if got := ends.said(); !slices.Equal(got, []string{"first opens"}) {
			t.Errorf("got %q", got)
		}
		began := time.Now()
		table.Close()
		if took := time.Since(began); took != stopTime {
			t.Errorf("a stop took %v", took)
		}
		close(slow)
		table.tries.Wait()
	})
}

// A file system that was opened, and then does not tell what it is like, keeps nothing
// from a start: it is opened anew, and the others are served.
func TestAttachWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends endings
		opened := map[uint32]int{}
		table := newExportTable(func(_ context.Context, x exportSpec) (fsal.FS, error) {
			opened[x.id]++
			return leased{mem.New(mem.Config{}), fmt.Sprint(x.id, " of ", opened[x.id]), &ends, nil}, nil
		}, zap.NewNop())
		table.opening = make(chan struct{}, 1) // for opened
		defer table.Close()
		mustSet(t, table, memSpec(1), memSpec(2), memSpec(3))
		synctest.Wait()
		inForce := map[uint32]string{}
		err := table.attach(func(offers []nfs4.Export) error {
			next := map[uint32]string{}
			for _, x := range offers {
				fs, ok := x.FS.(*ownedFS)
				if !ok {
					continue
				}
				next[x.ID] = fs.FS.(leased).name
				if next[x.ID] == "2 of 1" {
					return errors.New("no answer")
				}
			}
			inForce = next
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(inForce) != 2 || inForce[1] != "1 of 1" || inForce[3] != "3 of 1" {
			t.Errorf("in force are %v", inForce)
		}
		if missing := table.missing(); !slices.Equal(missing, []string{"/2: no answer"}) {
			t.Errorf("missing are %q", missing)
		}
		synctest.Wait()
		if inForce[2] != "2 of 2" || len(table.missing()) != 0 || !slices.Equal(ends.said(), []string{"2 of 1 closed"}) {
			t.Errorf("in force are %v, %q", inForce, ends.said())
		}
	})
}

// After a start that is refused all file systems are left to the next.
func TestAttachRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ends endings
		table := newExportTable(func(_ context.Context, x exportSpec) (fsal.FS, error) {
			return leased{mem.New(mem.Config{}), x.pseudo, &ends, nil}, nil
		}, zap.NewNop())
		mustSet(t, table, memSpec(1), memSpec(2))
		synctest.Wait()
		if err := table.attach(func([]nfs4.Export) error { return errors.New("no") }); err == nil || err.Error() != "no" {
			t.Error(err)
		}
		table.Close()
		if got := slices.Sorted(slices.Values(ends.said())); !slices.Equal(got, []string{"/1 closed", "/2 closed"}) {
			t.Errorf("got %q", got)
		}
	})
}

// shy is a file system that does not tell what it is like until it may.
type shy struct {
	fsal.FS
	asked, may chan struct{}
}

func (s shy) Root(r *fsal.Req) (fsal.Node, error) {
	n, err := s.FS.Root(r)
	return shyNode{n, s}, err
}

type shyNode struct {
	fsal.Node
	fs shy
}

func (n shyNode) Getattr(r *fsal.Req) (fsal.Attr, error) {
	select {
	case n.fs.asked <- struct{}{}:
	default:
	}
	<-n.fs.may
	return n.Node.Getattr(r)
}

// While a file system does not tell what it is like nobody waits who looks at the
// exports, and changes come one after the other.
func TestLookWhileAsking(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/a"))
	s := r.mount("client")
	slow := shy{asked: make(chan struct{}, 1), may: make(chan struct{})}
	tell := sync.OnceFunc(func() { close(slow.may) })
	t.Cleanup(tell)
	open := r.exports.open
	r.exports.open = func(ctx context.Context, x exportSpec) (fsal.FS, error) {
		fs, err := open(ctx, x)
		if x.pseudo != "/slow" || err != nil {
			return fs, err
		}
		slow.FS = fs
		return slow, nil
	}
	r.write(memExport(1, "/a") + memExport(2, "/slow"))
	var reloads sync.WaitGroup
	defer reloads.Wait()
	defer tell()
	reload := func() {
		reloads.Go(func() {
			if _, err := r.reload(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	reload()
	<-slow.asked
	r.write(memExport(1, "/a") + memExport(2, "/slow") + memExport(3, "/c"))
	reload()

	began := time.Now()
	const absent = "exports: 2, 1 of them not served\n  /slow: it is being opened\n"
	if out := r.must(statusCommand(), ""); !strings.Contains(out, absent) {
		t.Errorf("status says %q", out)
	}
	if out := r.must(exportCommand(), "", "show", "/a"); !strings.Contains(out, "Pseudo = /a;") {
		t.Errorf("export show says %q", out)
	}
	r.must(topCommand(), "", "--json")
	r.exports.ceph()
	r.exports.cache()
	if missing := r.exports.missing(); !slices.Equal(missing, []string{"/slow: it is being opened"}) {
		t.Errorf("missing are %q", missing)
	}
	if err := r.sees(s, "/a"); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second { // of the 10 s that it may take
		t.Errorf("to look took %v", took)
	}
	if _, known := r.exports.find("/c"); known {
		t.Error("two changes at a time")
	}
	tell()
	reloads.Wait()
	r.file(s, "/slow", "f")
	r.file(s, "/c", "f")
}
