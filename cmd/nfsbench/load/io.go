package load

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// ioSize is the size of the file that a worker reads and writes.
const ioSize = 4 * mib

// data makes an open file of ioSize.
func (w *worker) data(ctx context.Context) (opened, error) {
	name := fmt.Sprintf("data%d", len(w.made))
	f, err := w.open(ctx, name, true)
	if err != nil {
		return f, err
	}
	w.made, w.held = append(w.made, name), append(w.held, f)
	block := make([]byte, mib)
	for off := uint64(0); off < ioSize; off += uint64(len(block)) {
		_, err := w.do(ctx, wire.PutFHArgs{Object: f.fh},
			wire.WriteArgs{Stateid: f.id, Offset: off, Stable: wire.FileSync, Data: block})
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// anywhere is a random multiple of size in the file.
func anywhere(size int) uint64 { return uint64(rand.IntN(ioSize/size)) * uint64(size) }

func reads(size int) func(context.Context, *worker) (operation, error) {
	return func(ctx context.Context, w *worker) (operation, error) {
		f, err := w.data(ctx)
		return operation{step: w.send(ctx, 2, func(e *xdr.Encoder) {
			put(e, wire.PutFHArgs{Object: f.fh})
			put(e, wire.ReadArgs{Stateid: f.id, Offset: anywhere(size), Count: uint32(size)})
		})}, err
	}
}

func writes(size int) func(context.Context, *worker) (operation, error) {
	return func(ctx context.Context, w *worker) (operation, error) {
		f, err := w.data(ctx)
		data := make([]byte, size)
		return operation{step: w.send(ctx, 2, func(e *xdr.Encoder) {
			put(e, wire.PutFHArgs{Object: f.fh})
			put(e, wire.WriteArgs{Stateid: f.id, Offset: anywhere(size), Stable: wire.Unstable, Data: data})
		})}, err
	}
}

func commit(ctx context.Context, w *worker) (operation, error) {
	f, err := w.data(ctx)
	data := make([]byte, 4*kib)
	write := w.send(ctx, 2, func(e *xdr.Encoder) {
		put(e, wire.PutFHArgs{Object: f.fh})
		put(e, wire.WriteArgs{Stateid: f.id, Offset: anywhere(len(data)), Stable: wire.Unstable, Data: data})
	})
	sync := w.send(ctx, 2, func(e *xdr.Encoder) {
		put(e, wire.PutFHArgs{Object: f.fh})
		put(e, wire.CommitArgs{})
	})
	return operation{step: func() error {
		if err := write(); err != nil {
			return err
		}
		return sync()
	}}, err
}
