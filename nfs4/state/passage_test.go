package state

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

// cluster is the other servers of a cluster: one of them begins a grace period when it
// is told to, and ends it.
type cluster struct {
	grace.Local
	changed  chan struct{}
	enforced chan struct{} // closed when this server gives no new state

	mu    sync.Mutex
	begun bool // Guarded by mu.
}

func (c *cluster) tell(begun bool) {
	c.mu.Lock()
	c.begun = begun
	c.mu.Unlock()
	c.changed <- struct{}{}
}

func (c *cluster) Active(context.Context) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begun, nil
}

func (c *cluster) Relax(ctx context.Context) (bool, error) {
	begun, err := c.Active(ctx)
	return !begun, err
}

func (c *cluster) Enforce(context.Context) error { close(c.enforced); return nil }
func (c *cluster) Changed() <-chan struct{}      { return c.changed }

// hanging is a file system in which calls wait, for what a dead server held.
type hanging struct {
	outside
	began chan struct{} // has an element when a call did
	over  chan struct{} // closed when none waits any more
}

func (h *hanging) wait() {
	select {
	case h.began <- struct{}{}:
	default:
	}
	<-h.over
}

func (h *hanging) openLate(access Share) (fsal.File, error) {
	h.wait()
	return h.open(access)
}

// asks is how requests wait in the file system.
type asks func(e *env, fs *hanging, c *Client, open Stateid) error

func opens(change func(*hanging, *OpenRequest)) asks {
	return func(e *env, fs *hanging, c *Client, _ Stateid) error {
		x := e.wishing("new", 2, both, WishNone)
		x.Open, x.Deny = fs.open, ShareWrite
		change(fs, &x)
		_, err := c.Open(ctx, x)
		return err
	}
}

func locks(owner string, at uint64) asks {
	return func(e *env, fs *hanging, c *Client, open Stateid) error {
		x := e.locking(open, owner, true, at, at)
		x.Open = fs.openLate
		_, _, err := c.Lock(ctx, x)
		return err
	}
}

func testsLock(e *env, fs *hanging, c *Client, _ Stateid) error {
	x := e.locking(Stateid{}, "l", true, 0, 9)
	x.Open = fs.openLate
	_, err := c.Test(ctx, x)
	return err
}

// A request that waits in the file system holds up no grace period of the cluster,
// and so not the server that it waits for; what it asked for is not granted then.
func TestWaitsOutsideOfTheGate(t *testing.T) {
	for name, tt := range map[string]struct {
		all  []asks
		want error
	}{
		"OPEN": {[]asks{opens(func(fs *hanging, x *OpenRequest) { x.Open = fs.openLate })}, Grace},
		"OPEN that truncates": {[]asks{opens(func(fs *hanging, x *OpenRequest) {
			x.Truncates, x.Granted = true, func() error { fs.wait(); return nil }
		})}, Grace},
		"OPEN with a delegation": {[]asks{opens(func(fs *hanging, x *OpenRequest) {
			x.Wish, x.Change = WishWrite, func() (uint64, bool) { fs.wait(); return 1, true }
		})}, Grace},
		"LOCK":                  {[]asks{locks("l", 0)}, Grace},
		"LOCK one behind other": {[]asks{locks("l", 0), locks("m", 1)}, Grace},
		"LOCKT":                 {[]asks{testsLock}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			others := &cluster{changed: make(chan struct{}), enforced: make(chan struct{})}
			ctl, err := grace.Start(ctx, grace.Config{Backend: recoverytest.NewDisk().Backend(testLease), Coordinator: others})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ctl.Close(ctx) })
			e := newEnv(t, func(cfg *Config) { cfg.Grace, cfg.Callbacks = ctl, new(phone) })
			e.settle()
			fs := &hanging{outside{disk: &e.disk}, make(chan struct{}, 1), make(chan struct{})}
			a := e.client("a")
			x := e.request("o", 1, both, 0)
			x.Open = fs.open
			r, err := a.Open(ctx, x)
			e.must("OPEN", err)

			done := make(chan error)
			for i, ask := range tt.all {
				go func() { done <- ask(e, fs, a, r.Stateid) }()
				if i == 0 {
					<-fs.began
				}
			}
			others.tell(true)
			select {
			case <-others.enforced:
			case <-time.After(10 * time.Second):
				t.Error("the grace period of others does not begin")
			}
			close(fs.over)
			for range tt.all {
				e.want("in the grace period", <-done, tt.want)
			}
			e.checkDisk(1)
			others.tell(false)
			e.settle()
			for _, ask := range tt.all {
				e.must("after it", ask(e, fs, a, r.Stateid))
			}
		})
	}
}
