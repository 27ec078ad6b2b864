//go:build linux

package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm waits to the microsecond. The timers of Go end up to a millisecond late,
// which is more than most operations take. It is for one goroutine, but for cancel.
type alarm struct {
	fd   int
	file *os.File // the same
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &alarm{fd, os.NewFile(uintptr(fd), "timerfd")}, nil
}

// wait returns after d.
func (a *alarm) wait(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if err := unix.TimerfdSettime(a.fd, 0, &at, nil); err != nil {
		return os.NewSyscallError("timerfd_settime", err)
	}
	var expirations [8]byte
	_, err := a.file.Read(expirations[:])
	return err
}

// cancel ends a wait, and those to come. Any goroutine may call it.
func (a *alarm) cancel() { a.file.SetReadDeadline(time.Unix(1, 0)) }

func (a *alarm) close() { a.file.Close() }
