//go:build ceph

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// Clients of one gateway that wait for what another held when it died do not keep
// that one from coming back; they go on when it does, and lose nothing.
func waitsForTheDead(t *testing.T, found func(...string) *town) {
	c := found("a", "b")
	ctx := t.Context()
	a, b := c.gateway("a"), c.gateway("b")
	x, y, z := a.holder("x"), b.holder("y"), b.holder("z")
	for _, h := range []*holder{x, y} {
		h.must(patient(ctx, func() error { return h.lock(ctx, 0, false) }))
	}
	own := *y // what y has of its own file
	y.must(patient(ctx, func() error { return y.reopen("x") }))
	_, err := x.s.Write(ctx, x.fh, x.open, 0, wire.Unstable, []byte("not on disk yet"))
	x.must(err)
	a.kill()
	var late sync.WaitGroup
	ask := func(f func(context.Context) error) {
		late.Go(func() {
			if err := patient(ctx, func() error { return f(ctx) }); err != nil && !client.IsStatus(err, wire.ErrDenied) {
				t.Error(err)
			}
		})
	}
	// More than there are calls to CephFS at a time wait for the size of the file.
	var crowd []*holder
	for i := range 3 {
		crowd = append(crowd, &holder{T: t, owner: string(rune('0' + i))})
		x.must(crowd[i].session(ctx, b.addr))
		defer crowd[i].s.Close()
	}
	for _, h := range slices.Repeat(crowd, 50) {
		ask(func(ctx context.Context) error {
			_, err := h.s.Getattr(ctx, x.fh, client.CommonAttrs())
			return err
		})
	}
	ask(func(ctx context.Context) error { return y.lock(ctx, 0, false) })
	ask(func(ctx context.Context) error { return z.reopen("x") })
	c.until("no call gets a turn", func() bool {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, err := y.s.Read(ctx, own.fh, own.open, 0, 1)
		return errors.Is(err, context.DeadlineExceeded)
	})
	ask(func(ctx context.Context) error { return own.lock(ctx, 0, false) }) // as it has already

	began := time.Now()
	a.start()
	c.until("a recovers", func() bool { return a.status().Phase == "recovering" })
	t.Logf("a is back after %v", time.Since(began)) // and not after b was shut out, in 90 s
	x.back(a.addr)
	x.must(x.complete(ctx))
	late.Wait()
	if strings.Contains(a.log(), "evicted") {
		t.Error("b was shut out")
	}
}
