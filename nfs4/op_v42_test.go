package nfs4

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// The special stateids.
var (
	anonymous = wire.Stateid{}
	current   = wire.Stateid{Seqid: 1}
)

// opened is a regular file with an open's stateid.
type opened struct {
	fh wire.FH
	id wire.Stateid
}

// file opens a file for an owner of its own until the test ends, and makes it if
// need be.
func (c *session) file(dir, name string, access, deny uint32) opened {
	c.t.Helper()
	ops := at(dir, wire.OpenArgs{
		ShareAccess: access | wire.OpenShareAccessWantNoDeleg, ShareDeny: deny,
		Owner:    wire.StateOwner{Owner: fmt.Append(nil, "owner ", c.seq)},
		OpenType: wire.OpenCreate,
		How:      wire.CreateHow{Mode: wire.Unchecked, CreateAttrs: fattr(value{wire.AttrMode, word32(0o644)})},
		Claim:    wire.OpenClaim{Claim: wire.ClaimNull, File: []byte(name)},
	}, wire.GetFHArgs{})
	status, results := c.run(ops...)
	if status != wire.OK {
		c.t.Fatalf("OPEN %s/%s: %v", dir, name, status)
	}
	n := len(results)
	f := opened{results[n-1].Body.(wire.GetFHRes).Object, results[n-2].Body.(wire.OpenRes).Stateid}
	c.t.Cleanup(func() { c.ok(on(f, wire.CloseArgs{OpenStateid: f.id})...) })
	return f
}

// on returns operations on a file.
func on(f opened, ops ...wire.Args) []wire.Args {
	return append([]wire.Args{wire.PutFHArgs{Object: f.fh}}, ops...)
}

const testIO = 512 << 10

func (c *session) write(f opened, off uint64, data []byte) {
	c.t.Helper()
	for len(data) > 0 {
		n := min(len(data), testIO)
		res := c.ok(on(f, wire.WriteArgs{Stateid: f.id, Offset: off, Data: data[:n]})...).(wire.WriteRes)
		if int(res.Count) != n {
			c.t.Fatalf("WRITE took %d of %d bytes", res.Count, n)
		}
		off, data = off+uint64(n), data[n:]
	}
}

func (c *session) content(f opened) (all []byte) {
	c.t.Helper()
	for {
		res := c.ok(on(f, wire.ReadArgs{Offset: uint64(len(all)), Count: testIO})...).(wire.ReadRes)
		if all = append(all, res.Data...); res.EOF {
			return all
		}
	}
}

func (c *session) resize(f opened, size uint64) {
	c.t.Helper()
	c.ok(on(f, wire.SetattrArgs{ObjAttributes: fattr(value{wire.AttrSize, word64(size)})})...)
}

// pattern is n bytes that differ from block to block.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i/251 ^ i)
	}
	return b
}

// plainFS can only do what every file system does.
type plainFS struct{ fsal.FS }

type plainNode struct{ fsal.Node }

type plainFile struct{ fsal.File }

func plain(n fsal.Node, err error) (fsal.Node, error) {
	if err != nil {
		return nil, err
	}
	return plainNode{n}, nil
}

func (fs plainFS) Limits() fsal.Limits {
	l := fs.FS.Limits()
	l.CloneBlock = 0
	return l
}

func (fs plainFS) Root(r *fsal.Req) (fsal.Node, error) { return plain(fs.FS.Root(r)) }

func (fs plainFS) Resolve(r *fsal.Req, k fsal.Key) (fsal.Node, error) {
	return plain(fs.FS.Resolve(r, k))
}

func (n plainNode) Lookup(r *fsal.Req, name string) (fsal.Node, error) {
	return plain(n.Node.Lookup(r, name))
}

func (n plainNode) Open(r *fsal.Req, flags fsal.OpenFlags) (fsal.File, error) {
	f, err := n.Node.Open(r, flags)
	return plainFile{f}, err
}

func (n plainNode) Create(r *fsal.Req, name string, spec fsal.CreateSpec) (fsal.Created, error) {
	made, err := n.Node.Create(r, name, spec)
	made.Node, made.File = plainNode{made.Node}, plainFile{made.File}
	return made, err
}

const (
	reading = wire.OpenShareAccessRead
	writing = wire.OpenShareAccessWrite
	both    = wire.OpenShareAccessBoth
)

// onlyRegular is the operations that answer WRONG_TYPE for other objects.
var onlyRegular = []wire.Args{
	wire.AllocateArgs{Length: 1}, wire.DeallocateArgs{Length: 1}, wire.CopyArgs{}, wire.CloneArgs{},
}

// A directory, a symlink and a device are told from a regular file, whatever the
// stateid.
func TestV42Types(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.ok(at(firstPath, wire.CreateArgs{ObjType: wire.TypeLnk, LinkData: []byte("x"), ObjName: []byte("link")})...)
	c.ok(at(firstPath, wire.CreateArgs{ObjType: wire.TypeFifo, ObjName: []byte("fifo")})...)
	f := c.file(firstPath, "file", both, 0)
	for path, as := range map[string]wire.Status{
		firstPath: wire.ErrIsDir, firstPath + "/link": wire.ErrSymlink, firstPath + "/fifo": wire.ErrWrongType,
	} {
		save := append(on(f, wire.SaveFHArgs{}), wire.PutFHArgs{Object: c.fh(path)})
		for _, op := range onlyRegular {
			c.fails(wire.ErrWrongType, append(save, op)...)
		}
		c.fails(wire.ErrWrongType, append(save, wire.AllocateArgs{Stateid: f.id, Length: 1})...)
		source := append(at(path, wire.SaveFHArgs{}), wire.PutFHArgs{Object: f.fh})
		c.fails(wire.ErrWrongType, append(source, wire.CopyArgs{DstStateid: f.id})...)
		c.fails(wire.ErrWrongType, append(source, wire.CloneArgs{DstStateid: f.id})...)
		c.fails(as, at(path, wire.SeekArgs{})...)
		c.fails(as, at(path, wire.IOAdviseArgs{})...)
	}
}

// What there is not is refused as known; minor version 1 knows none of it.
func TestV42Offer(t *testing.T) {
	s := newServer(t, twoExports(t)...)
	ops := append([]wire.Args{
		wire.SeekArgs{}, wire.IOAdviseArgs{}, wire.GetxattrArgs{}, wire.SetxattrArgs{}, wire.ListxattrsArgs{}, wire.RemovexattrArgs{},
	}, onlyRegular...)
	absent := []wire.Args{
		wire.CopyNotifyArgs{DestinationServer: wire.NetLoc{Type: wire.NetLocName}}, wire.OffloadCancelArgs{}, wire.OffloadStatusArgs{},
		wire.ReadPlusArgs{}, wire.WriteSameArgs{},
	}
	two := connect(t, s, 2)
	for _, op := range ops {
		two.fails(wire.ErrNoFileHandle, op)
	}
	two.fails(wire.ErrNoFileHandle, at(firstPath, wire.CopyArgs{})...) // nothing saved
	two.fails(wire.ErrNoFileHandle, at(firstPath, wire.CloneArgs{})...)
	for _, op := range absent {
		two.fails(wire.ErrNotSupp, at(firstPath, op)...)
	}
	one := connect(t, newServer(t, twoExports(t)...), 1)
	for _, op := range append(absent, ops...) {
		status, results := one.run(at(firstPath, op)...)
		if last := results[len(results)-1].Op; status != wire.ErrOpIllegal || last != wire.OpIllegal {
			t.Errorf("%v in minor version 1: %v of %v", op.Op(), status, last)
		}
	}
}

func TestAllocate(t *testing.T) {
	c := connect(t, newServer(t, Export{ID: 1, Path: "/small", FS: mem.New(mem.Config{Bytes: 8 << 20})}), 2)
	f := c.file("/small", "f", both, 0)
	c.write(f, 0, []byte("data"))
	c.ok(on(f, wire.AllocateArgs{Stateid: f.id, Offset: 2, Length: 98})...)
	want := append([]byte("data"), make([]byte, 96)...)
	if got := c.content(f); !bytes.Equal(got, want) {
		t.Errorf("after ALLOCATE: %q", got)
	}
	c.ok(on(f, wire.DeallocateArgs{Stateid: f.id, Offset: 1, Length: 2})...)
	c.ok(on(f, wire.DeallocateArgs{Stateid: f.id, Offset: 90, Length: 1000})...) // keeps the size
	copy(want, "d\x00\x00a")
	if got := c.content(f); !bytes.Equal(got, want) {
		t.Errorf("after DEALLOCATE: %q", got)
	}
	c.fails(wire.ErrNoSpc, on(f, wire.AllocateArgs{Stateid: f.id, Length: 1 << 30})...)
	if got := c.content(f); !bytes.Equal(got, want) {
		t.Errorf("after ALLOCATE without space: %q", got)
	}
}

// A promise holds: what else fills the file system leaves room for it.
func TestAllocatePromises(t *testing.T) {
	c := connect(t, newServer(t, Export{ID: 1, Path: "/small", FS: mem.New(mem.Config{Bytes: 2 << 20})}), 2)
	f, other := c.file("/small", "f", both, 0), c.file("/small", "other", both, 0)
	c.ok(on(f, wire.AllocateArgs{Stateid: f.id, Length: 1 << 20})...)
	block := pattern(testIO)
	for off, status := uint64(0), wire.OK; status == wire.OK; off += testIO {
		if off > 2<<20 {
			t.Fatal("the file system does not fill up")
		}
		status, _ = c.run(on(other, wire.WriteArgs{Stateid: other.id, Offset: off, Data: block})...)
	}
	c.write(f, 0, block)
	c.write(f, testIO, block)
}

// ranges are what ALLOCATE and DEALLOCATE refuse.
func TestAllocateRefused(t *testing.T) {
	exports := append(twoExports(t), Export{ID: 3, Path: "/plain", FS: plainFS{memory(t)}})
	c := connect(t, newServer(t, exports...), 2)
	f := c.file(firstPath, "f", both, 0)
	r := c.file(firstPath, "f", reading, 0)
	denied := c.file(firstPath, "denied", both, wire.OpenShareDenyWrite)
	without := c.file("/plain", "f", both, 0)
	for _, tt := range []struct {
		name        string
		fh          opened
		id          wire.Stateid
		off, length uint64
		want        wire.Status
	}{
		{"nothing", f, f.id, 0, 0, wire.ErrInval},
		{"offset beyond all files", f, f.id, 1 << 63, 1, wire.ErrFBig},
		{"end beyond all files", f, f.id, math.MaxInt64, 1, wire.ErrFBig},
		{"end wraps", f, f.id, 1, math.MaxUint64, wire.ErrFBig},
		{"open for reading", r, r.id, 0, 1, wire.ErrOpenMode},
		{"stateid of another file", f, denied.id, 0, 1, wire.ErrBadStateid},
		{"denied", denied, anonymous, 0, 1, wire.ErrLocked},
		{"denied bypass", denied, wire.Stateid{Seqid: math.MaxUint32, Other: [12]byte(bytes.Repeat([]byte{0xff}, 12))}, 0, 1, wire.ErrLocked},
		{"not this file system", without, without.id, 0, 1, wire.ErrNotSupp},
		{"anonymous", f, anonymous, 0, 1, wire.OK},
	} {
		for _, op := range []wire.Args{
			wire.AllocateArgs{Stateid: tt.id, Offset: tt.off, Length: tt.length},
			wire.DeallocateArgs{Stateid: tt.id, Offset: tt.off, Length: tt.length},
		} {
			status, _ := c.run(on(tt.fh, op)...)
			if status != tt.want {
				t.Errorf("%v, %s: %v, want %v", op.Op(), tt.name, status, tt.want)
			}
		}
	}
}

func TestSeek(t *testing.T) {
	const block = 64 << 10
	exports := []Export{{ID: 1, Path: "/mem", FS: memory(t)}, {ID: 2, Path: "/plain", FS: plainFS{memory(t)}}}
	c := connect(t, newServer(t, exports...), 2)
	// Two blocks of hole, one of data, one of hole.
	sparse := c.file("/mem", "sparse", both, 0)
	c.write(sparse, 2*block, pattern(block))
	c.resize(sparse, 4*block)
	dense := c.file("/mem", "dense", both, 0)
	c.write(dense, 0, pattern(100))
	flat := c.file("/plain", "flat", both, 0)
	c.resize(flat, 1000)
	empty := c.file("/mem", "empty", both, 0)
	const data, hole = wire.ContentData, wire.ContentHole
	for _, tt := range []struct {
		name string
		f    opened
		off  uint64
		what wire.DataContent
		want wire.SeekRes
	}{
		{"hole at the start", sparse, 0, hole, wire.SeekRes{Offset: 0}},
		{"hole in the hole", sparse, 7, hole, wire.SeekRes{Offset: 7}},
		{"data after the hole", sparse, 7, data, wire.SeekRes{Offset: 2 * block}},
		{"data in the data", sparse, 2*block + 9, data, wire.SeekRes{Offset: 2*block + 9}},
		{"hole after the data", sparse, 2*block + 9, hole, wire.SeekRes{Offset: 3 * block}},
		{"no more data", sparse, 3 * block, data, wire.SeekRes{EOF: true, Offset: 4 * block}},
		{"hole at the end", dense, 0, hole, wire.SeekRes{EOF: true, Offset: 100}},
		{"last byte", dense, 99, data, wire.SeekRes{Offset: 99}},
		{"holes unknown, hole", flat, 1, hole, wire.SeekRes{EOF: true, Offset: 1000}},
		{"holes unknown, data", flat, 1, data, wire.SeekRes{Offset: 1}},
	} {
		got := c.ok(on(tt.f, wire.SeekArgs{Stateid: tt.f.id, Offset: tt.off, What: tt.what})...).(wire.SeekRes)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	w := c.file("/mem", "dense", writing, 0)
	for _, tt := range []struct {
		name string
		f    opened
		off  uint64
		what wire.DataContent
		want wire.Status
	}{
		{"at the end", dense, 100, hole, wire.ErrNXIO},
		{"beyond the end", dense, 101, data, wire.ErrNXIO},
		{"beyond all files", dense, math.MaxUint64, data, wire.ErrNXIO},
		{"empty file", empty, 0, hole, wire.ErrNXIO},
		{"holes unknown, at the end", flat, 1000, data, wire.ErrNXIO},
		{"neither data nor hole", dense, 0, 2, wire.ErrUnionNotSupp},
		{"open for writing", w, 0, data, wire.ErrOpenMode},
	} {
		status, _ := c.run(on(tt.f, wire.SeekArgs{Stateid: tt.f.id, Offset: tt.off, What: tt.what})...)
		if status != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, status, tt.want)
		}
	}
}

// IO_ADVISE promises nothing, but checks the stateid.
func TestIOAdvise(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	f, other := c.file(firstPath, "f", writing, 0), c.file(firstPath, "other", writing, 0)
	hints := wire.BitmapOf(wire.IOAdviseSequential, wire.IOAdviseRandom)
	res := c.ok(on(f, wire.IOAdviseArgs{Stateid: f.id, Hints: hints})...).(wire.IOAdviseRes)
	if !res.Hints.IsZero() {
		t.Errorf("hints %v", res.Hints)
	}
	c.ok(on(f, wire.IOAdviseArgs{Hints: hints})...)
	c.fails(wire.ErrBadStateid, on(f, wire.IOAdviseArgs{Stateid: other.id})...)
}
