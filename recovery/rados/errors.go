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

var cures = recovery.Cures{
	{syscall.ENOSPC, "Ceph is full: make room"},
	{syscall.EDQUOT, "raise the pool's quota"},
	{syscall.ESHUTDOWN, "this server is blocklisted (ceph osd blocklist ls): restart it"},
	{fs.ErrPermission, "the key may not write there: see 'ceph auth get'"},
}

// explain makes err an *recovery.Error about an object, but for one that is
// already.
func explain(oid string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, syscall.ENOTRECOVERABLE):
		return &recovery.Error{Name: "object " + oid, Err: recovery.ErrDamaged,
			Cure: "it is no grace database; remove it (rados rm) and add all members again: clients then lose what they hold"}
	}
	return cures.Explain("object "+oid, err)
}
