package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

var ctx = context.Background()

func TestSuite(t *testing.T) {
	recoverytest.Run(t, func(t *testing.T) func() recovery.Backend {
		dir := filepath.Join(t.TempDir(), "recovery")
		return func() recovery.Backend { return New(Config{Dir: dir, Lease: time.Minute}) }
	})
}

// begun returns a backend on dir after Begin, and closes it when the test ends.
func begun(t *testing.T, cfg Config) (*Backend, recovery.Start) {
	t.Helper()
	b := New(cfg)
	t.Cleanup(func() { b.Close() })
	start, err := b.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return b, start
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// populated returns a directory that a server with clients a and b has left.
func populated(t *testing.T) string {
	dir := t.TempDir()
	b, _ := begun(t, Config{Dir: dir, Lease: time.Minute})
	must(t, b.Commit(ctx))
	for _, owner := range []string{"a", "b"} {
		must(t, b.Put(ctx, recovery.Client{Owner: owner}))
	}
	must(t, b.Close())
	return dir
}

func TestLeaseOfEarlierRuns(t *testing.T) {
	dir := t.TempDir()
	for i, run := range []struct {
		lease, want time.Duration
		commit      bool
	}{
		{120 * time.Second, 0, true},
		{60 * time.Second, 120 * time.Second, false}, // crashes inside its grace period
		{60 * time.Second, 120 * time.Second, true},
		{90 * time.Second, 60 * time.Second, true},
	} {
		b, start := begun(t, Config{Dir: dir, Lease: run.lease})
		if start.Lease != run.want {
			t.Errorf("run %d: lease on record is %v, want %v", i, start.Lease, run.want)
		}
		if run.commit {
			must(t, b.Commit(ctx))
		}
		must(t, b.Close())
	}
}

func TestTwoServers(t *testing.T) {
	dir := t.TempDir()
	first, _ := begun(t, Config{Dir: dir})
	second := New(Config{Dir: dir})
	_, err := second.Begin(ctx)
	if !errors.Is(err, recovery.ErrBusy) || !recovery.Refused(err) {
		t.Fatalf("second server: %v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the error names neither process nor directory: %v", err)
	}
	must(t, first.Close())
	if _, err := second.Begin(ctx); err != nil {
		t.Errorf("after the first ended: %v", err)
	}
	must(t, second.Close())
}

// damage is what befalls a directory with records of a and b, and what comes of it.
type damage struct {
	harm    func(dir string) error
	refused error  // nil: the server starts
	record  string // owners on record then
	says    string // in the error or a note
}

func (d *damage) run(t *testing.T) {
	dir := populated(t)
	must(t, d.harm(dir))
	b := New(Config{Dir: dir})
	defer b.Close()
	start, err := b.Begin(ctx)
	if d.refused != nil {
		var e *recovery.Error
		if !errors.Is(err, d.refused) || !recovery.Refused(err) || !errors.As(err, &e) || e.Cure == "" || !strings.Contains(err.Error(), d.says) {
			t.Fatalf("got %v, want %v that says %q and a cure", err, d.refused, d.says)
		}
		return
	}
	must(t, err)
	var owners []string
	for _, c := range start.Clients {
		owners = append(owners, c.Owner)
	}
	if got := strings.Join(owners, " "); got != d.record {
		t.Errorf("on record: %s, want %s", got, d.record)
	}
	if notes := strings.Join(start.Notes, "\n"); !strings.Contains(notes, d.says) || d.says == "" && notes != "" {
		t.Errorf("notes %q, want one that says %q", notes, d.says)
	}
}

// TestDamage breaks a directory in every way that a person or a disk might.
func TestDamage(t *testing.T) {
	record := func(owner string) string { return filepath.Join("epoch-2", fileName(owner)) }
	write := func(name, content string) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600) }
	}
	edit := func(name string, change func([]byte) []byte) func(dir string) error {
		return func(dir string) error {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, name), change(b), 0o600)
		}
	}
	remove := func(name string) func(dir string) error {
		return func(dir string) error { return os.RemoveAll(filepath.Join(dir, name)) }
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	half := func(b []byte) []byte { return b[:len(b)/2] }

	for name, c := range map[string]damage{
		"pair flipped":     {edit("epochs", flip), recovery.ErrDamaged, "", "epochs"},
		"pair cut":         {edit("epochs", half), recovery.ErrDamaged, "", "epochs"},
		"pair empty":       {write("epochs", ""), recovery.ErrDamaged, "", "move"},
		"pair missing":     {remove("epochs"), recovery.ErrDamaged, "", "epoch-2"},
		"pair newer":       {write("epochs", string(seal([]byte("tidegate epochs 2\n")))), recovery.ErrForeign, "", "epochs 2"},
		"pair senseless":   {write("epochs", string(pair{Epochs: recovery.Epochs{Current: 2, Recovering: 9}}.encode())), recovery.ErrDamaged, "", "sense"},
		"epoch missing":    {remove("epoch-2"), recovery.ErrDamaged, "", "epoch-2"},
		"record flipped":   {edit(record("a"), flip), nil, "b", fileName("a")},
		"record cut":       {edit(record("a"), half), nil, "b", "may not reclaim"},
		"record empty":     {write(record("b"), ""), nil, "a", fileName("b")},
		"record newer":     {write(record("a"), string(seal([]byte("tidegate client 2\n")))), nil, "b", "client 2"},
		"record misplaced": {edit(record("a"), func([]byte) []byte { return recordOf("b") }), nil, "b", `record of "b"`},
		"record huge":      {write(record("a"), strings.Repeat("x", maxFile+1)), nil, "b", "too long"},
		"record missing":   {remove(record("a")), nil, "b", ""},
		"temporary file":   {write(record("a")+".7.tmp", "x"), nil, "a b", ""},
		"stray file":       {write("epoch-2/README", "x"), nil, "a b", ""},
		"stale epoch":      {func(dir string) error { return os.Mkdir(filepath.Join(dir, "epoch-3"), 0o700) }, nil, "a b", ""},
	} {
		t.Run(name, func(t *testing.T) { c.run(t) })
	}
}

func recordOf(owner string) []byte {
	return record{Client: recovery.Client{Owner: owner}}.encode()
}

// TestDamagedRemoval: a record in C bars its owner even where R has a good one.
func TestDamagedRemoval(t *testing.T) {
	dir := populated(t)
	b, start := begun(t, Config{Dir: dir})
	must(t, b.Remove(ctx, "a"))
	must(t, b.Close())
	path := filepath.Join(dir, epochDir(start.Current), fileName("a"))
	must(t, os.WriteFile(path, []byte("?"), 0o600))
	_, start = begun(t, Config{Dir: dir})
	if len(start.Clients) != 1 || start.Clients[0].Owner != "b" || len(start.Notes) != 1 {
		t.Errorf("on record: %+v", start)
	}
}

func TestDirectoryOfOthers(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "passwd"), nil, 0o600))
	_, err := New(Config{Dir: dir}).Begin(ctx)
	if !errors.Is(err, recovery.ErrForeign) || !strings.Contains(err.Error(), "passwd") {
		t.Errorf("got %v", err)
	}
}

// What is no directory will never be one.
func TestNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := New(Config{Dir: file}).Begin(ctx)
	if !recovery.Refused(err) || !strings.Contains(err.Error(), "name a directory") {
		t.Errorf("got %v", err)
	}
}

func TestMissingParent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "mounted")
	b := New(Config{Dir: dir})
	defer b.Close()
	_, err := b.Begin(ctx)
	var e *recovery.Error
	if !errors.As(err, &e) || e.Name != dir || e.Cure == "" || recovery.Refused(err) {
		t.Fatalf("got %v", err)
	}
	must(t, os.Mkdir(filepath.Dir(dir), 0o700))
	if _, err := b.Begin(ctx); err != nil {
		t.Errorf("once the parent was there: %v", err)
	}
}

// TestStorageFails fails every kind of operation in every call: the error says
// which record and why, the server may go on, and does when storage works again.
func TestStorageFails(t *testing.T) {
	calls := map[string]func(*Backend) error{
		"begin":  func(b *Backend) error { _, err := b.Begin(ctx); return err },
		"put":    func(b *Backend) error { return b.Put(ctx, recovery.Client{Owner: "host\n7"}) },
		"remove": func(b *Backend) error { return b.Remove(ctx, "host\n7") },
		"commit": func(b *Backend) error { return b.Commit(ctx) },
		"renew":  func(b *Backend) error { _, err := b.Renew(ctx, []recovery.Client{{Owner: "host\n7"}}); return err },
	}
	for _, op := range []string{"create", "write", "sync", "rename", "remove", "mkdir", "readdir", "syncdir", "read"} {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EROFS} {
			for name, call := range calls {
				d := newCrashDisk()
				b := plain(d).(*Backend)
				if name != "begin" {
					_, err := b.Begin(ctx)
					must(t, err)
				}
				if name == "renew" {
					must(t, b.Commit(ctx))
				}
				failed := ""
				d.fail = func(o, path string) error {
					if o == op {
						failed = path
						return errno
					}
					return nil
				}
				err := call(b)
				d.fail = nil
				if failed == "" || name == "commit" && op == "remove" || name == "commit" && op == "readdir" {
					must(t, err) // it needs no such operation, or not to keep its promise
					continue
				}
				var e *recovery.Error
				if !errors.As(err, &e) || !errors.Is(err, errno) || e.Cure == "" || recovery.Refused(err) {
					t.Errorf("%s, %s fails: %v", name, op, err)
				} else if name == "put" && !strings.Contains(err.Error(), `"host\n7"`) {
					t.Errorf("%s, %s fails, and the error names no client: %v", name, op, err)
				}
				must(t, call(b))
			}
		}
	}
}

func TestClosed(t *testing.T) {
	b := New(Config{Dir: t.TempDir()})
	put := func() error { return b.Put(ctx, recovery.Client{Owner: "a"}) }
	if err := put(); !errors.Is(err, recovery.ErrClosed) {
		t.Errorf("before Begin: %v", err)
	}
	_, err := b.Begin(ctx)
	must(t, err)
	must(t, put())
	must(t, b.Close())
	if err := put(); !errors.Is(err, recovery.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestSharedSyncs: clients that come at once share the directory's syncs.
func TestSharedSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 1000
		b := newBarrier()
		syncs := 0
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				asked := time.Now()
				err := b.pass(ctx, func() error {
					syncs++
					if time.Now().Before(asked) {
						t.Error("served by a sync that began before it asked")
					}
					<-time.After(10 * time.Millisecond)
					return nil
				})
				must(t, err)
			})
		}
		wg.Wait()
		if syncs > 2 {
			t.Errorf("%d syncs for %d callers", syncs, callers)
		}
	})
}

func TestSyncIsLaterThanCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBarrier()
		broken := errors.New("broken")
		release := make(chan struct{})
		first := make(chan error, 1)
		go func() { first <- b.pass(ctx, func() error { <-release; return broken }) }()
		synctest.Wait()
		second := make(chan error, 1)
		go func() { second <- b.pass(ctx, func() error { return nil }) }()
		late, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := b.pass(late, func() error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("gave up with %v", err)
		}
		close(release)
		if err := <-first; err != broken {
			t.Errorf("first: %v", err)
		}
		if err := <-second; err != nil {
			t.Errorf("second was given the result of a sync that began before it: %v", err)
		}
	})
}
