package nfs4

import (
	"context"
	"errors"
	"syscall"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/state"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// statusOf maps an error of fsal or state to the status a client gets.
func statusOf(err error) wire.Status {
	if err == nil {
		return wire.OK
	}
	if e, ok := err.(state.Error); ok {
		return stateStatus[e]
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		if status, ok := errnoStatus[errno]; ok {
			return status
		}
		return wire.ErrIO
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return wire.ErrDelay
	}
	return wire.ErrServerFault
}

// statusOf is the function of that name, and keeps the cause of what a client cannot
// do anything about.
func (c *compound) statusOf(err error) wire.Status {
	status := statusOf(err)
	if status == wire.ErrIO || status == wire.ErrServerFault {
		c.cause = err
	}
	return status
}

// blame logs why an operation fails for which its client makes an error of an
// application.
func (c *compound) blame(op wire.Op, status wire.Status) {
	if !c.srv.faults.Allow() {
		return
	}
	about := []zap.Field{zap.Stringer("operation", op), zap.Stringer("status", status), zap.Error(c.cause), zap.Stringer("from", c.call.Conn.RemoteAddr())}
	if c.session != nil {
		about = append(about, zap.String("client", c.session.Client.Owner))
	}
	if c.cur.export != nil {
		about = append(about, zap.String("export", c.cur.export.Path))
	}
	c.srv.log.Error("a client is told of a failure", about...)
}

var stateStatus = [...]wire.Status{
	state.BadSession:      wire.ErrBadSession,
	state.BadSlot:         wire.ErrBadSlot,
	state.BadHighSlot:     wire.ErrBadHighSlot,
	state.SeqMisordered:   wire.ErrSeqMisordered,
	state.SeqFalseRetry:   wire.ErrSeqFalseRetry,
	state.RetryUncached:   wire.ErrRetryUncachedRep,
	state.Delay:           wire.ErrDelay,
	state.StaleClientID:   wire.ErrStaleClientID,
	state.ClIDInUse:       wire.ErrClIDInUse,
	state.ClientIDBusy:    wire.ErrClientIDBusy,
	state.NoEnt:           wire.ErrNoEnt,
	state.NotSame:         wire.ErrNotSame,
	state.Perm:            wire.ErrPerm,
	state.TooSmall:        wire.ErrTooSmall,
	state.NoSpace:         wire.ErrNoSpc,
	state.BadStateid:      wire.ErrBadStateid,
	state.OldStateid:      wire.ErrOldStateid,
	state.StaleStateid:    wire.ErrBadStateid, // STALE_STATEID is not for 4.1 (RFC 8881, 15.1.16.5)
	state.Expired:         wire.ErrExpired,
	state.AdminRevoked:    wire.ErrAdminRevoked,
	state.DelegRevoked:    wire.ErrDelegRevoked,
	state.ShareDenied:     wire.ErrShareDenied,
	state.Locked:          wire.ErrLocked,
	state.LocksHeld:       wire.ErrLocksHeld,
	state.OpenMode:        wire.ErrOpenMode,
	state.Inval:           wire.ErrInval,
	state.CompleteAlready: wire.ErrCompleteAlready,
	state.Resource:        wire.ErrDelay, // RFC 8881, 15.1.16.3: RESOURCE is not for 4.1
	state.Denied:          wire.ErrDenied,
	state.Grace:           wire.ErrGrace,
	state.NoGrace:         wire.ErrNoGrace,
	state.ReclaimBad:      wire.ErrReclaimBad,
	state.ReclaimConflict: wire.ErrReclaimConflict,
}

// errnoStatus has what file systems answer; anything else is an I/O error.
var errnoStatus = map[syscall.Errno]wire.Status{
	syscall.EPERM:        wire.ErrPerm,
	syscall.ENOENT:       wire.ErrNoEnt,
	syscall.EIO:          wire.ErrIO,
	syscall.ENXIO:        wire.ErrNXIO,
	syscall.EAGAIN:       wire.ErrDelay,
	syscall.EINTR:        wire.ErrDelay,
	syscall.EBUSY:        wire.ErrDelay,
	syscall.ETXTBSY:      wire.ErrFileOpen,
	syscall.ENOMEM:       wire.ErrDelay,
	syscall.EMFILE:       wire.ErrDelay,
	syscall.ENFILE:       wire.ErrDelay,
	syscall.EACCES:       wire.ErrAccess,
	syscall.EEXIST:       wire.ErrExist,
	syscall.EXDEV:        wire.ErrXDev,
	syscall.ENOTDIR:      wire.ErrNotDir,
	syscall.EISDIR:       wire.ErrIsDir,
	syscall.EINVAL:       wire.ErrInval,
	syscall.EFBIG:        wire.ErrFBig,
	syscall.EOVERFLOW:    wire.ErrInval,
	syscall.ENOSPC:       wire.ErrNoSpc,
	syscall.EROFS:        wire.ErrROFS,
	syscall.EMLINK:       wire.ErrMLink,
	syscall.ENAMETOOLONG: wire.ErrNameTooLong,
	syscall.ENOTEMPTY:    wire.ErrNotEmpty,
	syscall.EDQUOT:       wire.ErrDQuot,
	syscall.ESTALE:       wire.ErrStale,
	syscall.ELOOP:        wire.ErrSymlink,
	syscall.ENODATA:      wire.ErrNoXattr,
	syscall.E2BIG:        wire.ErrXattr2Big,
	syscall.ERANGE:       wire.ErrXattr2Big,
	syscall.ENOTSUP:      wire.ErrNotSupp,
	syscall.ENOSYS:       wire.ErrNotSupp,
	syscall.ENOTTY:       wire.ErrNotSupp,
	syscall.ESHUTDOWN:    wire.ErrDelay,
	fsal.EBADHANDLE:      wire.ErrBadHandle,
}
