package load

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// op is a row of the table of operations. A nil bind needs no session.
type op struct {
	name  string
	what  string
	bytes int // of file data that one operation moves
	bind  func(context.Context, *worker) (operation, error)
}

const (
	nullOp = "null"
	kib    = 1 << 10
	mib    = 1 << 20
)

// ops is filled by a function, since mixed refers to it.
func ops() []op {
	return []op{
		{name: nullOp, what: "the procedure NULL, without a session"},
		{name: "getattr", what: "GETATTR of a file", bind: getattr},
		{name: "lookup", what: "LOOKUP, GETFH, GETATTR of a file", bind: lookup},
		{name: "access", what: "ACCESS, GETATTR of a file", bind: access},
		{name: "open-close", what: "OPEN with GETFH, ACCESS, GETATTR; CLOSE", bind: openClose},
		{name: "create", what: "OPEN that makes a file, as above; CLOSE", bind: create},
		{name: "remove", what: "REMOVE of a file", bind: remove},
		{name: "rename", what: "RENAME in a directory", bind: rename},
		{name: "readdir", what: "READDIR of all files of a directory with attributes", bind: readdir},
		{name: "read4k", what: "READ of 4 KiB at random", bytes: 4 * kib, bind: reads(4 * kib)},
		{name: "write4k", what: "WRITE of 4 KiB at random, unstable", bytes: 4 * kib, bind: writes(4 * kib)},
		{name: "read1m", what: "READ of 1 MiB", bytes: mib, bind: reads(mib)},
		{name: "write1m", what: "WRITE of 1 MiB, unstable", bytes: mib, bind: writes(mib)},
		{name: "commit", what: "WRITE of 4 KiB, COMMIT", bytes: 4 * kib, bind: commit},
		{name: "mixed", what: "those that change nothing lasting, in the proportions of a file server's day", bind: mixed},
	}
}

func find(name string) *op {
	for _, o := range ops() {
		if o.name == name {
			return &o
		}
	}
	return nil
}

// Op is an operation as a person chooses it.
type Op struct{ Name, What string }

// Ops returns what Job.Op may be.
func Ops() (all []Op) {
	for _, o := range ops() {
		all = append(all, Op{o.name, o.what})
	}
	return all
}

// allAccess is what a client asks ACCESS for.
const allAccess = wire.AccessRead | wire.AccessLookup | wire.AccessModify | wire.AccessExtend |
	wire.AccessDelete | wire.AccessExecute

// put appends an operation.
func put[A wire.Args](e *xdr.Encoder, a A) {
	e.Uint32(uint32(a.Op()))
	a.Encode(e)
}

// pinging calls NULL.
func pinging(w *worker) operation {
	return operation{step: func() error { return w.conn.Ping(context.Background()) }}
}

// some makes the worker's files and returns a function that goes through them.
func (w *worker) some(ctx context.Context) (next func() (name string, fh wire.FH), err error) {
	type entry struct {
		name string
		fh   wire.FH
	}
	all := make([]entry, w.files)
	for i := range all {
		name := fmt.Sprintf("file%06d", i)
		fh, err := w.file(ctx, name)
		if err != nil {
			return nil, err
		}
		all[i] = entry{name, fh}
	}
	at := 0
	return func() (string, wire.FH) {
		f := all[at]
		at = (at + 1) % len(all)
		return f.name, f.fh
	}, nil
}

func getattr(ctx context.Context, w *worker) (operation, error) {
	next, err := w.some(ctx)
	mask := client.CommonAttrs()
	return operation{step: w.send(ctx, 2, func(e *xdr.Encoder) {
		_, fh := next()
		put(e, wire.PutFHArgs{Object: fh})
		put(e, wire.GetattrArgs{AttrRequest: mask})
	})}, err
}

func access(ctx context.Context, w *worker) (operation, error) {
	next, err := w.some(ctx)
	mask := client.CommonAttrs()
	return operation{step: w.send(ctx, 3, func(e *xdr.Encoder) {
		_, fh := next()
		put(e, wire.PutFHArgs{Object: fh})
		put(e, wire.AccessArgs{Access: allAccess})
		put(e, wire.GetattrArgs{AttrRequest: mask})
	})}, err
}

func lookup(ctx context.Context, w *worker) (operation, error) {
	next, err := w.some(ctx)
	mask := client.CommonAttrs()
	return operation{step: w.send(ctx, 4, func(e *xdr.Encoder) {
		name, _ := next()
		put(e, wire.PutFHArgs{Object: w.dir})
		put(e, wire.LookupArgs{ObjName: []byte(name)})
		put(e, wire.GetFHArgs{})
		put(e, wire.GetattrArgs{AttrRequest: mask})
	})}, err
}

// readdirMask is what Linux asks of every entry.
func readdirMask() wire.Bitmap {
	mask := client.CommonAttrs()
	for _, a := range []wire.Attr{wire.AttrRdattrError, wire.AttrFilehandle, wire.AttrRawDev, wire.AttrMountedOnFileID} {
		mask.Set(a)
	}
	return mask
}

// readdirSize has room for the attributes of a few hundred files.
const readdirSize = 256 * kib

func readdir(ctx context.Context, w *worker) (operation, error) {
	_, err := w.some(ctx)
	args := wire.ReaddirArgs{DirCount: readdirSize, MaxCount: readdirSize, AttrRequest: readdirMask()}
	return operation{step: w.send(ctx, 2, func(e *xdr.Encoder) {
		put(e, wire.PutFHArgs{Object: w.dir})
		put(e, args)
	})}, err
}

func openClose(ctx context.Context, w *worker) (operation, error) {
	next, err := w.some(ctx)
	return operation{step: func() error {
		name, _ := next()
		f, err := w.open(ctx, name, false)
		if err != nil {
			return err
		}
		return w.close(ctx, f)
	}}, err
}

// mixes are the parts of mixed in a hundred operations.
var mixes = [...]struct {
	name   string
	weight int
}{
	{"getattr", 32}, {"lookup", 22}, {"access", 14}, {"read4k", 12}, {"write4k", 8},
	{"open-close", 7}, {"readdir", 3}, {"rename", 2},
}

func mixed(ctx context.Context, w *worker) (operation, error) {
	var parts []func() error
	for _, m := range mixes {
		part, err := find(m.name).bind(ctx, w)
		if err != nil {
			return operation{}, err
		}
		for range m.weight {
			parts = append(parts, part.step)
		}
	}
	return operation{step: func() error { return parts[rand.IntN(len(parts))]() }}, nil
}
