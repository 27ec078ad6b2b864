//go:build ceph

package ceph

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/cephtest"
)

// asked is how many requests an MDS has had from all of its clients.
func (x rig) asked(c *cephtest.Cluster) int64 {
	x.Helper()
	out, err := c.Ceph("tell", "mds."+cephtest.FS+":0", "perf", "dump", "mds_server")
	if err != nil {
		x.Fatal(err)
	}
	var dump struct {
		Server struct {
			Requests int64 `json:"handle_client_request"`
		} `json:"mds_server"`
	}
	if err := json.Unmarshal([]byte(out), &dump); err != nil {
		x.Fatal(err)
	}
	return dump.Server.Requests
}

// list returns the sizes of all that is in a directory.
func (x rig) list(dir fsal.Node) map[string]uint64 {
	x.Helper()
	sizes := map[string]uint64{}
	eof, err := dir.Readdir(request(0), 0, fsal.WantAttr|fsal.WantKey, func(e *fsal.DirEntry) bool {
		sizes[e.Name] = e.Attr.Size
		return true
	})
	if err != nil || !eof {
		x.Fatal(eof, err)
	}
	return sizes
}

// TestStreams keeps more listings than there may be: the oldest are given back, each
// once, and the others can be taken, each once.
func TestStreams(t *testing.T) {
	const more = 10
	var s streams
	var all [keptStreams + more]*stream
	for i := range all {
		all[i] = s.begin(vino{}, &superuser, uint64(i), 1)
		over := s.keep(all[i])
		if want := i - keptStreams; want < 0 && over != nil || want >= 0 && over != all[want] {
			t.Fatalf("another than the oldest is over after %d", i)
		}
	}
	for range 2 {
		for i := range all {
			x := s.take(vino{}, &superuser, uint64(i), 1)
			if i < more && x != nil || i >= more && x != all[i] {
				t.Fatalf("at %d another is taken, or none", i)
			}
			all[i] = nil
		}
	}
}

// TestListAgain lists a directory that nobody changes, for which no MDS is asked and no
// room allocated, and then one that another client has changed.
func TestListAgain(t *testing.T) {
	const files, times = 20, 300
	const most = 16 << 10 // bytes a listing; the race detector has sync.Pool forget some
	x := newRig(t, 1)
	_, root := x.tree()
	for i := range files {
		made, err := root.Create(request(0), fmt.Sprint("f", i), fsal.CreateSpec{Open: fsal.OpenRead})
		if err != nil {
			t.Fatal(err)
		}
		made.File.Close()
		made.Node.Put()
	}
	x.list(root)
	var memory [2]runtime.MemStats
	runtime.ReadMemStats(&memory[0])
	before := x.asked(shared)
	for range times {
		if n := len(x.list(root)); n != files {
			t.Fatalf("%d entries of %d", n, files)
		}
	}
	if n := x.asked(shared) - before; n > times/2 { // some are the client's own, each second
		t.Errorf("the MDS had %d requests for %d listings", n, times)
	}
	runtime.ReadMemStats(&memory[1])
	if each := (memory[1].TotalAlloc - memory[0].TotalAlloc) / times; each > most {
		t.Errorf("%d bytes of garbage a listing", each)
	}
	program := "fd = fs.open('%[1]s/f3', 'r+', 0o644); fs.write(fd, b'12345', 0); fs.close(fd); fs.close(fs.open('%[1]s/new', 'w', 0o644)); fs.unlink('%[1]s/f4')"
	if _, err := shared.Python(fmt.Sprintf(program, x.cfg.Path)); err != nil {
		t.Fatal(err)
	}
	after := x.list(root)
	_, added := after["new"]
	_, removed := after["f4"]
	if len(after) != files || !added || removed || after["f3"] != 5 {
		t.Errorf("after changes by another client: %v", after)
	}
}
