package rados

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/tidegate/tidegate/recovery"
)

var (
	errClosed  = &recovery.Error{Name: "records in Ceph", Err: recovery.ErrClosed}
	errNoGrace = errors.New("the grace period was ended by somebody else; it is asked for again")
)

// busy is the end for this server: it was taken for dead.
func busy(oid, node string) error {
	return &recovery.Error{Name: "object " + oid, Err: recovery.ErrBusy,
		Cure: fmt.Sprintf("another one runs as node %s; stop this one, or give it a --node-id of its own", node)}
}

// cures says what to do about errors of a pool.
var cures = []struct {
	err  error
	cure string
}{
	{syscall.ETIMEDOUT, "Ceph does not answer: see what 'ceph -s' says"},
	{syscall.ENOSPC, "Ceph is full: make room"},
	{syscall.EDQUOT, "raise the pool's quota"},
	{syscall.ESHUTDOWN, "this server is blocklisted (ceph osd blocklist ls): restart it"},
	{fs.ErrPermission, "the key may not write there: see 'ceph auth get'"},
}

// explain makes err an *recovery.Error about an object, but for one that is
// already.
func explain(oid string, err error) error {
	var known *recovery.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &recovery.Error{Name: "object " + oid, Err: err}
	if errors.Is(err, syscall.ENOTRECOVERABLE) {
		e.Err = recovery.ErrDamaged
		e.Cure = "it is no grace database; remove it (rados rm) and add all members again: clients then lose what they hold"
	}
	for _, c := range cures {
		if errors.Is(err, c.err) {
			e.Cure = c.cure
			break
		}
	}
	return e
}
