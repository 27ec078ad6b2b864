//go:build ceph

package ceph

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// dieHolding has another client of CephFS write to files and die with them open, without a
// successor. It returns the session that is left of it.
func (x rig) dieHolding(paths []string) (session string) {
	x.Helper()
	holder := shared.PythonCmd(fmt.Sprintf(`
for path in %q.split():
    fs.write(fs.open(path, "r+"), b"theirs", 0)
print(fs.get_instance_id(), flush=True)
sys.stdin.read()
`, strings.Join(paths, " ")))
	in, err := holder.StdinPipe()
	if err != nil {
		x.Fatal(err)
	}
	defer in.Close()
	out, err := holder.StdoutPipe()
	if err != nil {
		x.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		x.Fatal(err)
	}
	defer holder.Wait()
	session, err = bufio.NewReader(out).ReadString('\n')
	if err := errors.Join(err, holder.Process.Kill()); err != nil {
		x.Fatal(err)
	}
	return strings.TrimSpace(session)
}

// files makes so many files in the rig's directory.
func (x rig) files(root fsal.Node, many int) (files []fsal.Node, paths []string) {
	x.Helper()
	for i := range many {
		name := fmt.Sprint("f", i)
		c, err := root.Create(request(0), name, fsal.CreateSpec{Open: rw, Attr: fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o644}})
		if err != nil {
			x.Fatal(err)
		}
		c.File.Close()
		files, paths = append(files, c.Node), append(paths, x.cfg.Path+"/"+name)
	}
	return files, paths
}

func (x rig) directory(in fsal.Node, name string) fsal.Node {
	x.Helper()
	d, _, _, err := in.Make(request(0), name, fsal.MakeSpec{Type: fsal.Directory})
	if err != nil {
		x.Fatal(err)
	}
	return d
}

// TestDeadHolder has many more calls than may run at the same time ask for files that a
// dead client holds: others are answered while these wait, and these when its session
// ends.
func TestDeadHolder(t *testing.T) {
	const files, rounds, atOnce = 8, 4, 2 * lateAfter
	x := newRig(t, 1)
	fs, root := x.tree()
	r := request(0)
	held, paths := x.files(root, files)
	for _, n := range held {
		defer n.Put()
	}
	session := x.dieHolding(paths)
	other := x.directory(root, "other")
	defer other.Put()

	var all sync.WaitGroup
	var waiting atomic.Int32
	for round := range rounds {
		for i := range fs.cfg.Calls {
			waiting.Add(1)
			all.Go(func() {
				defer waiting.Add(-1)
				var err error
				if n := held[i%files]; i/files%2 == 0 {
					_, err = n.Getattr(r)
				} else {
					_, _, err = n.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: 0o600})
				}
				if err != nil {
					t.Error("of the dead one's: ", err)
				}
			})
		}
		eventually(t, "calls that wait", func() error {
			if n := fs.calls.running(); n < fs.cfg.Calls*(round+1) {
				return fmt.Errorf("only %d: %w", n, syscall.EAGAIN)
			}
			return nil
		})
		took := lively(t, other, fmt.Sprint("other", round))
		t.Logf("%d calls wait, %d of them late: another file is made, asked about and removed in %v", waiting.Load(), fs.cfg.Late.Load(), took.Round(time.Millisecond))
		if took > atOnce {
			t.Error("others have to wait")
		}
	}
	if n := int(waiting.Load()); n != rounds*fs.cfg.Calls {
		t.Errorf("%d of the calls wait", n)
	}
	if _, err := shared.Ceph("tell", "mds."+cephtest.FS+":0", "client", "evict", "id="+session); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	eventually(t, "the room to be gone", func() error {
		if n := fs.cfg.Late.Load(); n > 0 {
			return fmt.Errorf("for %d: %w", n, syscall.EAGAIN)
		}
		return nil
	})
}

// running is how many calls somebody has.
func (s *calls) running() (n int) {
	for i := range s.all {
		if s.all[i].word.Load() != 0 {
			n++
		}
	}
	return n
}

// lively returns how long it takes to make a file, ask about it and remove it.
func lively(t *testing.T, root fsal.Node, name string) time.Duration {
	t.Helper()
	r, began := request(0), time.Now()
	c, err := root.Create(r, name, fsal.CreateSpec{Open: rw})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Node.Put()
	defer c.File.Close()
	_, known := c.Node.Getattr(r)
	_, removed := root.Unlink(r, name)
	if err := errors.Join(known, removed); err != nil {
		t.Error(err)
	}
	return time.Since(began)
}
