//go:build ceph

package ceph

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// recalls notes which delegations an FS wants back.
type recalls struct {
	deaf
	wanted chan fsal.Key
}

func (u recalls) Recall(k fsal.Key) { u.wanted <- k }

// TestDelegation has another client of CephFS use a file that is delegated: it
// waits until the delegation that is then recalled is given back.
func TestDelegation(t *testing.T) {
	x := newRig(t, 1)
	fs := x.open()
	defer fs.Retire()
	up := recalls{wanted: make(chan fsal.Key, 10)}
	fs.Watch(up)
	root := x.root(fs)
	defer root.Put()
	r := request(0)
	c, err := root.Create(r, "f", fsal.CreateSpec{
		Mode: fsal.CreateGuarded, Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o644},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Node.Put()
	if _, _, err := c.File.WriteAt(r, []byte("ours"), 0, fsal.FileSync); err != nil {
		t.Fatal(err)
	}
	c.File.Close()
	for _, y := range []struct {
		what   string
		flags  fsal.OpenFlags
		others string
		asks   bool // whether the holder asks for attributes before he gives back
	}{
		{"given back", fsal.OpenRead, `fd = fs.open(%q, "r+"); fs.write(fd, b"THEY", 0); fs.fsync(fd, 0)`, false},
		{"asked", fsal.OpenRead, `fd = fs.open(%q, "r+"); fs.write(fd, b"they", 0); fs.fsync(fd, 0)`, true},
		{"open for writing", rw, `fd = fs.open(%q, "r"); assert fs.read(fd, 0, 10) == b"they"`, false},
	} {
		t.Run(y.what, func(t *testing.T) {
			f, err := c.Node.Open(r, y.flags)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			others := shared.PythonCmd(fmt.Sprintf(y.others, x.cfg.Path+"/f"))
			share(t, c.Node, f.(fsal.Delegator), up.wanted, others, y.asks)
		})
	}
}

// share has others use a file whose delegation is given back when it is recalled,
// before or after its holder asks for attributes.
func share(t *testing.T, n fsal.Node, d fsal.Delegator, wanted chan fsal.Key, others *exec.Cmd, asks bool) {
	r := request(0)
	eventually(t, "delegate", func() error { return d.Delegate(r, false) })
	if err := others.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- others.Wait() }()
	select {
	case k := <-wanted:
		if k != n.Key() {
			t.Error("another file's delegation is recalled")
		}
	case err := <-ended:
		t.Fatal("others did not wait: ", err)
	case <-time.After(replacedWithin):
		t.Fatal("no recall")
	}
	select {
	case err := <-ended:
		t.Fatal("others went on before the delegation was given back: ", err)
	default:
	}
	began := time.Now()
	if asks {
		if _, err := n.Getattr(r); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("attributes came after %v", took)
		}
	}
	d.Undelegate()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	t.Logf("others went on, and ended, within %v", time.Since(began).Round(time.Millisecond))
}

// TestNoWriteDelegation shows why there are none: what its holder writes after a
// recall waits for the delegation to be given back, and so for others.
func TestNoWriteDelegation(t *testing.T) {
	x := newRig(t, 1)
	fs := x.open()
	defer fs.Retire()
	up := recalls{wanted: make(chan fsal.Key, 10)}
	fs.Watch(up)
	root := x.root(fs)
	defer root.Put()
	r := request(0)
	c, err := root.Create(r, "f", fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Node.Put()
	defer c.File.Close()
	f := c.File.(*file)
	if err := f.Delegate(r, true); err != syscall.EAGAIN {
		t.Errorf("delegated for writing: %v", err)
	}
	k, _, fh, err := f.begin(r)
	if err != nil {
		t.Fatal(err)
	}
	defer k.end()
	held := ll.NewGuard(fs.recalls.sink(), f.n.id.ino, f.n.id.snap)
	defer held.Free()
	if err := k.m.Delegate(fh, held, true); err != nil {
		t.Fatal(err)
	}
	others := shared.PythonCmd(fmt.Sprintf(`fd = fs.open(%q, "r"); print(fs.read(fd, 0, 10))`, x.cfg.Path+"/f"))
	if err := others.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-up.wanted:
	case <-time.After(replacedWithin):
		t.Fatal("no recall")
	}
	wrote := make(chan error, 1)
	go func() {
		_, _, err := f.WriteAt(r, []byte("late"), 0, fsal.FileSync)
		wrote <- err
	}()
	select {
	case err := <-wrote:
		t.Error("libcephfs lets the holder write after a recall: files may be delegated for writing: ", err)
	case <-time.After(time.Second):
	}
	k.m.Undelegate(fh)
	select {
	case err := <-wrote:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(replacedWithin):
		t.Error("nor after the delegation was given back")
	}
	if err := others.Wait(); err != nil {
		t.Error(err)
	}
}

// TestGuardOfGoingMount ends a delegation while its mount is on the way out: what that
// may still tell of stays until the mount is gone.
func TestGuardOfGoingMount(t *testing.T) {
	fs := &FS{guards: guards{files: map[vino][]*file{}, asked: map[vino]bool{}}}
	c := &client{fs: fs}
	for _, x := range []struct {
		what string
		gen  uint64
		left int
	}{{"a mount that is gone", 0, 0}, {"one that is going", 1, 1}} {
		c.gen.Store(1)
		f := &file{n: &node{fs: fs, c: c}}
		f.guard = guard{held: ll.NewGuard(0, 1, ll.Head), gen: x.gen}
		fs.guards.add(f)
		f.Undelegate()
		f.Undelegate()
		if n := len(fs.guards.left); n != x.left || fs.guards.n.Load() != 0 || f.guard.held != nil {
			t.Errorf("%s: %d left, %d guarded", x.what, n, fs.guards.n.Load())
		}
	}
	fs.guards.free()
	if len(fs.guards.left) != 0 {
		t.Error("not freed")
	}
}
