package nfs4

import (
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// brittleFS panics when it is asked for permissions.
type brittleFS struct{ fsal.FS }

type brittleNode struct{ fsal.Node }

func (f brittleFS) Root(r *fsal.Req) (fsal.Node, error) {
	n, err := f.FS.Root(r)
	return brittleNode{n}, err
}

func (f brittleFS) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	n, err := f.FS.Resolve(r, k)
	return brittleNode{n}, err
}

func (brittleNode) Access(*fsal.Req, fsal.Access) (fsal.Access, error) { panic("brittle") }

// A panic ends its request with SERVERFAULT, whose slot goes on and whose
// nodes are put; the results before it stand.
func TestPanic(t *testing.T) {
	memory := memory(t)
	c := connect(t, newServer(t, Export{ID: firstID, Path: "/", FS: brittleFS{memory}}), 1)
	c.cache = true
	ops := []wire.Args{wire.PutRootFHArgs{}, wire.AccessArgs{Access: wire.AccessRead}, wire.GetFHArgs{}}
	status, results := c.run(ops...)
	if status != wire.ErrServerFault || len(results) != 2 || results[0].Status != wire.OK || results[1].Op != wire.OpAccess || results[1].Status != wire.ErrServerFault {
		t.Fatalf("%v, %+v", status, results)
	}
	c.ok(wire.PutRootFHArgs{}, wire.GetFHArgs{})
}
