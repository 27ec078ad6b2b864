package load

import (
	"context"
	"fmt"
	"sync"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// List reads the whole directory t.Export as Linux does, with attributes, and
// returns how many entries it has.
func List(ctx context.Context, t Target) (n int, err error) {
	c, err := newClient(ctx, t, Job{Depth: 1}, "nfsbench.list")
	if err != nil {
		return 0, err
	}
	defer c.close(ctx)
	_, err = c.workers[0].list(ctx, t.Export, readdirMask(), func(entries []wire.Entry) { n += len(entries) })
	return n, err
}

// listSize is how much Linux asks for in the end as it reads a large directory: as much
// as of a file.
const listSize = 1 << 20

// list reads a directory to its end.
func (w *worker) list(ctx context.Context, path string, mask wire.Bitmap, take func([]wire.Entry)) (dir wire.FH, err error) {
	if dir, err = w.walk(ctx, path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	args := wire.ReaddirArgs{DirCount: listSize, MaxCount: listSize, AttrRequest: mask}
	for {
		reply, err := w.do(ctx, wire.PutFHArgs{Object: dir}, args)
		if err != nil {
			return dir, err
		}
		res, err := client.Body[wire.ReaddirRes](reply)
		if err != nil {
			return dir, err
		}
		take(res.Entries)
		if res.EOF {
			return dir, nil
		}
		if len(res.Entries) == 0 {
			return dir, fmt.Errorf("%s: READDIR without entries and not at the end", path)
		}
		args.Cookie, args.CookieVerf = res.Entries[len(res.Entries)-1].Cookie, res.CookieVerf
	}
}

// visitors look files up at the same time.
const visitors = 8

// Visit looks at every file of the directory t.Export by its name, as programs
// that use them do, and returns how many there are.
func Visit(ctx context.Context, t Target) (int, error) {
	c, err := newClient(ctx, t, Job{Depth: visitors}, "nfsbench.visit")
	if err != nil {
		return 0, err
	}
	defer c.close(ctx)
	var names []string
	dir, err := c.workers[0].list(ctx, t.Export, wire.Bitmap{}, func(entries []wire.Entry) {
		for _, e := range entries {
			names = append(names, string(e.Name))
		}
	})
	if err != nil {
		return 0, err
	}
	var all sync.WaitGroup
	errs := make([]error, visitors)
	for i, w := range c.workers {
		all.Go(func() { errs[i] = w.visit(ctx, dir, names, i) })
	}
	all.Wait()
	return len(names), one(errs)
}

// visit looks up every name that is the worker's, of which it is the i-th.
func (w *worker) visit(ctx context.Context, dir wire.FH, names []string, i int) error {
	mask := client.CommonAttrs()
	step := w.send(ctx, 4, func(e *xdr.Encoder) {
		put(e, wire.PutFHArgs{Object: dir})
		put(e, wire.LookupArgs{ObjName: []byte(names[i])})
		put(e, wire.GetFHArgs{})
		put(e, wire.GetattrArgs{AttrRequest: mask})
	})
	for ; i < len(names); i += visitors {
		if err := step(); err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
	}
	return nil
}

// Idle makes so many clients with a session each, which do nothing until end is
// called.
func Idle(ctx context.Context, t Target, clients int) (end func(), err error) {
	var all []*clientLoad
	end = func() {
		for _, c := range all {
			c.close(ctx)
		}
	}
	for i := range clients {
		c, err := newClient(ctx, t, Job{Depth: 1}, fmt.Sprintf("nfsbench.idle.%d", i))
		if err != nil {
			end()
			return nil, fmt.Errorf("client %d: %w", i, err)
		}
		all = append(all, c)
	}
	return end, nil
}
