//go:build linux

// Package direct does to a file system, without NFS, what package load does to a
// server: it is what a server on that file system cannot do better than.
package direct

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// Cost is what one operation takes.
type Cost struct {
	Op  string        `json:"op"`
	CPU time.Duration `json:"cpu_ns"` // of this process
}

const (
	kib      = 1 << 10
	mib      = 1 << 20
	fileSize = 4 * mib
)

// bench is what the operations go over.
type bench struct {
	fs   fsal.FS
	req  *fsal.Req
	dir  fsal.Node
	key  fsal.Key // of file
	file fsal.File
	data []byte
	n    int // operations so far
}

// name is the file that the operations go over.
const name = "data"

var steps = []struct {
	op string
	do func(*bench) error
}{
	{"getattr", (*bench).getattr},
	{"lookup", (*bench).lookup},
	{"open-close", (*bench).openClose},
	{"create", (*bench).create},
	{"read4k", func(b *bench) error { return b.read(4 * kib) }},
	{"write4k", func(b *bench) error { return b.write(4 * kib) }},
	{"read1m", func(b *bench) error { return b.read(mib) }},
	{"write1m", func(b *bench) error { return b.write(mib) }},
}

// Measure does each operation for a while in a directory of its own, as one caller
// on one thread. create includes the removal.
func Measure(ctx context.Context, fs fsal.FS, cred fsal.Cred, each time.Duration) (all []Cost, err error) {
	b := &bench{fs: fs, req: &fsal.Req{Context: ctx, Cred: cred}, data: make([]byte, mib)}
	root, err := fs.Root(b.req)
	if err != nil {
		return nil, err
	}
	defer root.Put()
	own := fmt.Sprintf("nfsbench.direct.%d", time.Now().UnixNano())
	if b.dir, _, _, err = root.Make(b.req, own, fsal.MakeSpec{Type: fsal.Directory, Attr: mode(0o755)}); err != nil {
		return nil, err
	}
	defer root.Unlink(b.req, own)
	defer b.dir.Put()
	if err := b.fill(); err != nil {
		return nil, err
	}
	defer b.dir.Unlink(b.req, name)
	defer b.file.Close()
	for _, s := range steps {
		cpu, err := b.measure(s.do, each)
		if err != nil {
			return all, fmt.Errorf("%s: %w", s.op, err)
		}
		all = append(all, Cost{s.op, cpu})
	}
	return all, nil
}

func mode(m uint32) fsal.SetAttr { return fsal.SetAttr{Mask: fsal.SetMode, Mode: m} }

// fill makes the file.
func (b *bench) fill() error {
	made, err := b.make(name)
	if err != nil {
		return err
	}
	b.key, b.file = made.Node.Key(), made.File
	made.Node.Put()
	for off := uint64(0); off < fileSize; off += uint64(len(b.data)) {
		if _, _, err := b.file.WriteAt(b.req, b.data, off, fsal.FileSync); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) make(name string) (fsal.Created, error) {
	return b.dir.Create(b.req, name, fsal.CreateSpec{
		Mode: fsal.CreateGuarded, Open: fsal.OpenRead | fsal.OpenWrite, Attr: mode(0o644),
	})
}

// measure returns the CPU time of one operation.
func (b *bench) measure(do func(*bench) error, each time.Duration) (time.Duration, error) {
	const batch = 16 // between looks at the clock
	begin, at, n := cpu(), time.Now(), 0
	for time.Since(at) < each && b.req.Context.Err() == nil {
		for range batch {
			if err := do(b); err != nil {
				return 0, err
			}
			b.n++
		}
		n += batch
	}
	if n == 0 {
		return 0, b.req.Context.Err()
	}
	return (cpu() - begin) / time.Duration(n), nil
}

// cpu is what this process has used.
func cpu() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts) // cannot fail for the process itself
	return time.Duration(ts.Nano())
}

func (b *bench) getattr() error {
	n, err := b.fs.Resolve(b.req, b.key)
	if err != nil {
		return err
	}
	defer n.Put()
	_, err = n.Getattr(b.req)
	return err
}

func (b *bench) lookup() error {
	n, err := b.dir.Lookup(b.req, name)
	if err != nil {
		return err
	}
	defer n.Put()
	_, err = n.Getattr(b.req)
	return err
}

func (b *bench) openClose() error {
	n, err := b.dir.Lookup(b.req, name)
	if err != nil {
		return err
	}
	defer n.Put()
	f, err := n.Open(b.req, fsal.OpenRead|fsal.OpenWrite)
	if err != nil {
		return err
	}
	return f.Close()
}

func (b *bench) create() error {
	name := fmt.Sprintf("new%d", b.n)
	made, err := b.make(name)
	if err != nil {
		return err
	}
	made.Node.Put()
	if err := made.File.Close(); err != nil {
		return err
	}
	_, err = b.dir.Unlink(b.req, name)
	return err
}

// at is where the next operation of size reads or writes.
func (b *bench) at(size int) uint64 { return uint64(b.n*size) % fileSize }

func (b *bench) read(size int) error {
	_, _, err := b.file.ReadAt(b.req, b.data[:size], b.at(size))
	return err
}

func (b *bench) write(size int) error {
	_, _, err := b.file.WriteAt(b.req, b.data[:size], b.at(size), fsal.Unstable)
	return err
}
