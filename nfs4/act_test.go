package nfs4

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// meddled is a file system where something happens between the server's decision to
// change an object and the change.
type meddled struct {
	fsal.FS
	meanwhile atomic.Pointer[func() error] // once; an error is the change's
}

func (m *meddled) happens() error {
	if f := m.meanwhile.Swap(nil); f != nil {
		return (*f)()
	}
	return nil
}

func (m *meddled) node(n fsal.Node, err error) (fsal.Node, error) {
	if err != nil {
		return nil, err
	}
	return meddledNode{n, m}, nil
}

func (m *meddled) Root(r *fsal.Req) (fsal.Node, error) { return m.node(m.FS.Root(r)) }

func (m *meddled) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	return m.node(m.FS.Resolve(r, k))
}

type meddledNode struct {
	fsal.Node
	fs *meddled
}

func (n meddledNode) Lookup(r *fsal.Req, name string) (fsal.Node, error) {
	return n.fs.node(n.Node.Lookup(r, name))
}

func (n meddledNode) Setattr(r *fsal.Req, f fsal.File, set fsal.SetAttr) (fsal.SetMask, fsal.Attr, error) {
	if err := n.fs.happens(); err != nil {
		return 0, fsal.Attr{}, err
	}
	return n.Node.Setattr(r, f, set)
}

func (n meddledNode) ACL(r *fsal.Req) (posixacl.ACL, error) { return n.Node.(fsal.ACLs).ACL(r) }

func (n meddledNode) SetACL(r *fsal.Req, acl posixacl.ACL) (fsal.Attr, error) {
	if err := n.fs.happens(); err != nil {
		return fsal.Attr{}, err
	}
	return n.Node.(fsal.ACLs).SetACL(r, acl)
}

func (n meddledNode) Xattr(r *fsal.Req, name string) ([]byte, error) {
	return n.Node.(fsal.Xattrs).Xattr(r, name)
}

func (n meddledNode) ListXattrs(r *fsal.Req) ([]string, error) {
	return n.Node.(fsal.Xattrs).ListXattrs(r)
}

func (n meddledNode) SetXattr(r *fsal.Req, name string, value []byte, mode fsal.XattrMode) (fsal.DirChange, error) {
	if err := n.fs.happens(); err != nil {
		return fsal.DirChange{}, err
	}
	return n.Node.(fsal.Xattrs).SetXattr(r, name, value, mode)
}

func (n meddledNode) RemoveXattr(r *fsal.Req, name string) (fsal.DirChange, error) {
	if err := n.fs.happens(); err != nil {
		return fsal.DirChange{}, err
	}
	return n.Node.(fsal.Xattrs).RemoveXattr(r, name)
}

func (n meddledNode) Link(r *fsal.Req, object fsal.Node, name string) (fsal.DirChange, error) {
	if err := n.fs.happens(); err != nil {
		return fsal.DirChange{}, err
	}
	return n.Node.Link(r, object.(meddledNode).Node, name)
}

func (n meddledNode) Unlink(r *fsal.Req, name string) (fsal.DirChange, error) {
	if err := n.fs.happens(); err != nil {
		return fsal.DirChange{}, err
	}
	return n.Node.Unlink(r, name)
}

func (n meddledNode) Rename(r *fsal.Req, name string, newDir fsal.Node, newName string) (from, to fsal.DirChange, err error) {
	if err := n.fs.happens(); err != nil {
		return from, to, err
	}
	return n.Node.Rename(r, name, newDir.(meddledNode).Node, newName)
}

func (n meddledNode) Open(r *fsal.Req, flags fsal.OpenFlags) (fsal.File, error) {
	f, err := n.Node.Open(r, flags)
	if err != nil {
		return nil, err
	}
	return meddledFile{f, n.fs}, nil
}

type meddledFile struct {
	fsal.File
	fs *meddled
}

func (f meddledFile) WriteAt(r *fsal.Req, p []byte, off uint64, want fsal.Sync) (int, fsal.Sync, error) {
	if err := f.fs.happens(); err != nil {
		return 0, want, err
	}
	return f.File.WriteAt(r, p, off, want)
}

func (f meddledFile) Allocate(r *fsal.Req, off, n uint64) error {
	if err := f.fs.happens(); err != nil {
		return err
	}
	return f.File.(fsal.Allocator).Allocate(r, off, n)
}

func (f meddledFile) Deallocate(r *fsal.Req, off, n uint64) error {
	if err := f.fs.happens(); err != nil {
		return err
	}
	return f.File.(fsal.Allocator).Deallocate(r, off, n)
}

// acts are operations on one of the names of a file, by who does not have it open.
var acts = map[string]func(fh wire.FH) []wire.Args{
	"SETATTR":             onFile(setTo(value{wire.AttrMode, word32(0o600)})),
	"SETATTR of the size": onFile(setTo(value{wire.AttrSize, word64(5)})),
	"SETATTR of the list": onFile(setTo(aces(wire.ACE{AccessMask: wire.ACEReadData, Who: []byte("OWNER@")}))),
	"SETXATTR":            onFile(wire.SetxattrArgs{Key: []byte("k"), Value: []byte("v")}),
	"REMOVEXATTR":         onFile(wire.RemovexattrArgs{Name: []byte("there")}),
	"WRITE":               onFile(wire.WriteArgs{Data: []byte("x")}),
	"WRITE past reservations": onFile(wire.WriteArgs{
		Stateid: wire.Stateid(state.ReadBypass), Data: []byte("x")}),
	"ALLOCATE":       onFile(wire.AllocateArgs{Length: 9}),
	"DEALLOCATE":     onFile(wire.DeallocateArgs{Length: 9}),
	"REMOVE":         inDir(wire.RemoveArgs{Target: []byte("file")}),
	"RENAME of it":   inDir(wire.SaveFHArgs{}, wire.RenameArgs{OldName: []byte("file"), NewName: []byte("new")}),
	"RENAME over it": inDir(wire.SaveFHArgs{}, wire.RenameArgs{OldName: []byte("other"), NewName: []byte("file")}),
	"LINK": func(fh wire.FH) []wire.Args {
		return append([]wire.Args{wire.PutFHArgs{Object: fh}, wire.SaveFHArgs{}}, at(firstPath, wire.LinkArgs{NewName: []byte("link")})...)
	},
}

func onFile(ops ...wire.Args) func(wire.FH) []wire.Args {
	return func(fh wire.FH) []wire.Args { return append([]wire.Args{wire.PutFHArgs{Object: fh}}, ops...) }
}

func inDir(ops ...wire.Args) func(wire.FH) []wire.Args {
	return func(wire.FH) []wire.Args { return at(firstPath, ops...) }
}

// While something is done that goes against delegations of a file nobody is granted one,
// whether there are delegations of others by then or not; and when it is done, however it
// ends, everybody is.
func TestNoDelegationMeanwhile(t *testing.T) {
	for name, ops := range acts {
		for how, end := range map[string]func() error{
			"done":    func() error { return nil },
			"failed":  func() error { return syscall.EIO },
			"wrecked": func() error { panic("wrecked") },
		} {
			for _, others := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, delegations of others: %v", name, how, others), func(t *testing.T) {
					meanwhile(t, ops, end, others)
				})
			}
		}
	}
}

func meanwhile(t *testing.T, ops func(wire.FH) []wire.Args, end func() error, others bool) {
	fs := &meddled{FS: memory(t)}
	addr := listen(t, newServer(t, Export{ID: firstID, Path: firstPath, FS: fs}))
	actor, reader := visit(t, addr), visit(t, addr)
	file, other := reader.plainly("file"), reader.plainly("other")
	reader.closes(other)
	reader.ok(append(onFile(wire.SetxattrArgs{Key: []byte("there"), Value: []byte("v")}, wire.SaveFHArgs{})(file.fh),
		at(firstPath, wire.LinkArgs{NewName: []byte("kept")})...)...)
	reader.closes(file)
	// So much is granted where nothing stands against it.
	warm := reader.delegated("warm", wire.OpenShareAccessRead, wire.OpenDelegateRead)
	if reader.closes(warm); !others {
		reader.gives(warm)
	}

	var o granted
	happens := func() error {
		o = reader.opened(reader.run(reader.opening("kept", wire.OpenShareAccessRead)...))
		return end()
	}
	fs.meanwhile.Store(&happens)
	r := actor.run(ops(file.fh)...)
	if fs.meanwhile.Load() != nil {
		t.Fatalf("nothing was done: %v", r.Status)
	}
	reader.closes(o)
	if o.deleg.Type != wire.OpenDelegateNone {
		reader.gives(o)
		t.Errorf("granted meanwhile: %+v", o.deleg)
	}
	after := reader.opened(reader.ok(reader.opening("kept", wire.OpenShareAccessRead)...))
	reader.closes(after)
	if after.deleg.Type != wire.OpenDelegateRead {
		t.Errorf("afterwards: %+v", after.deleg)
	} else {
		reader.gives(after)
	}
	if others {
		reader.gives(warm)
	}
}
