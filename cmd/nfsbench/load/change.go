package load

import (
	"context"
	"fmt"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// create makes the worker's files; before a round they are removed.
func create(ctx context.Context, w *worker) (operation, error) {
	at := 0
	return operation{
		prepare: func() error {
			for _, name := range w.made {
				if err := w.remove(ctx, w.dir, name); err != nil {
					return err
				}
			}
			w.made, at = w.made[:0], 0
			return nil
		},
		step: func() error {
			name := fmt.Sprintf("new%06d", at)
			at++
			_, err := w.file(ctx, name)
			return err
		},
	}, nil
}

// remove removes the worker's files; before a round they are made.
func remove(ctx context.Context, w *worker) (operation, error) {
	at := 0
	name := func(i int) string { return fmt.Sprintf("old%06d", i) }
	return operation{
		prepare: func() error {
			w.made, at = w.made[:0], 0
			for i := range w.files {
				if _, err := w.file(ctx, name(i)); err != nil {
					return err
				}
			}
			return nil
		},
		step: w.send(ctx, 2, func(e *xdr.Encoder) {
			put(e, wire.PutFHArgs{Object: w.dir})
			put(e, wire.RemoveArgs{Target: []byte(name(at))})
			at++
		}),
	}, nil
}

// rename gives a file its second name, and back.
func rename(ctx context.Context, w *worker) (operation, error) {
	names := [2]string{"first", "second"}
	_, err := w.file(ctx, names[0])
	w.made = append(w.made, names[1])
	at := 0
	return operation{step: w.send(ctx, 4, func(e *xdr.Encoder) {
		put(e, wire.PutFHArgs{Object: w.dir})
		put(e, wire.SaveFHArgs{})
		put(e, wire.PutFHArgs{Object: w.dir})
		put(e, wire.RenameArgs{OldName: []byte(names[at%2]), NewName: []byte(names[(at+1)%2])})
		at++
	})}, err
}
