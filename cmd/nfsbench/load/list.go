package load

import (
	"context"
	"fmt"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// List reads the whole directory t.Export as Linux does, with attributes, and
// returns how many entries it has.
func List(ctx context.Context, t Target) (n int, err error) {
	c, err := newClient(ctx, t, Job{Depth: 1}, "nfsbench.list")
	if err != nil {
		return 0, err
	}
	defer c.close(ctx)
	w := c.workers[0]
	dir, err := w.walk(ctx, t.Export)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", t.Export, err)
	}
	args := wire.ReaddirArgs{DirCount: readdirSize, MaxCount: readdirSize, AttrRequest: readdirMask()}
	for {
		reply, err := w.do(ctx, wire.PutFHArgs{Object: dir}, args)
		if err != nil {
			return n, err
		}
		res, err := client.Body[wire.ReaddirRes](reply)
		if err != nil {
			return n, err
		}
		n += len(res.Entries)
		if res.EOF {
			return n, nil
		}
		if len(res.Entries) == 0 {
			return n, fmt.Errorf("%s: READDIR without entries and not at the end", t.Export)
		}
		args.Cookie, args.CookieVerf = res.Entries[len(res.Entries)-1].Cookie, res.CookieVerf
	}
}
