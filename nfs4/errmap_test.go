package nfs4

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// Every error of the state has a status, and no two share one but DELAY and
// BAD_STATEID.
func TestStatusOfStateErrors(t *testing.T) {
	seen := make(map[wire.Status]state.Error)
	for _, e := range state.Errors() {
		if int(e) >= len(stateStatus) || stateStatus[e] == wire.OK {
			t.Errorf("%v (%d) has no status", e, e)
			continue
		}
		status := statusOf(e)
		if other, ok := seen[status]; ok && status != wire.ErrDelay && status != wire.ErrBadStateid {
			t.Errorf("%v and %v are both %v", e, other, status)
		}
		seen[status] = e
	}
}

// The errors that package fsal names, and what a client makes of each.
func TestStatusOfErrno(t *testing.T) {
	tests := map[error]wire.Status{
		nil:                      wire.OK,
		syscall.ENOENT:           wire.ErrNoEnt,
		syscall.EEXIST:           wire.ErrExist,
		syscall.ENOTDIR:          wire.ErrNotDir,
		syscall.EISDIR:           wire.ErrIsDir,
		syscall.ENOTEMPTY:        wire.ErrNotEmpty,
		syscall.ELOOP:            wire.ErrSymlink,
		syscall.EXDEV:            wire.ErrXDev,
		syscall.EACCES:           wire.ErrAccess,
		syscall.EPERM:            wire.ErrPerm,
		syscall.EROFS:            wire.ErrROFS,
		syscall.ENOSPC:           wire.ErrNoSpc,
		syscall.EDQUOT:           wire.ErrDQuot,
		syscall.EFBIG:            wire.ErrFBig,
		syscall.EIO:              wire.ErrIO,
		syscall.EMLINK:           wire.ErrMLink,
		syscall.ENAMETOOLONG:     wire.ErrNameTooLong,
		syscall.EINVAL:           wire.ErrInval,
		syscall.EAGAIN:           wire.ErrDelay,
		syscall.ESTALE:           wire.ErrStale,
		fsal.EBADHANDLE:          wire.ErrBadHandle,
		syscall.ENOTSUP:          wire.ErrNotSupp,
		syscall.ENODATA:          wire.ErrNoXattr,
		syscall.ENXIO:            wire.ErrNXIO,
		syscall.Errno(4095):      wire.ErrIO,
		context.Canceled:         wire.ErrDelay,
		context.DeadlineExceeded: wire.ErrDelay,
		errors.New("other"):      wire.ErrServerFault,
	}
	for err, want := range tests {
		if got := statusOf(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
		if err == nil {
			continue
		}
		if got := statusOf(fmt.Errorf("wrapped: %w", err)); got != want {
			t.Errorf("%v, wrapped: %v, want %v", err, got, want)
		}
	}
}
