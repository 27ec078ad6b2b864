package recovery

import (
	"errors"
	"strconv"
)

// The reasons for which a server must not start, and those that are the
// caller's fault. Any other reason is the storage's and may pass.
var (
	ErrDamaged = errors.New("damaged")                     // who may reclaim cannot be known
	ErrForeign = errors.New("not written by this program") // or by a later version of it
	ErrBusy    = errors.New("in use by another server")
	ErrInvalid = errors.New("a record that cannot be kept")
	ErrClosed  = errors.New("closed")
)

// An Error says which record or file, why, and what to do about it. To a client
// any of them is NFS4ERR_DELAY: what the server cannot record it does not grant.
type Error struct {
	Name string // of the file, object or owner
	Err  error
	Cure string // "" where the reason speaks for itself
}

func (e *Error) Error() string {
	s := "recovery: " + e.Name + ": " + e.Err.Error()
	if e.Cure != "" {
		s += "; " + e.Cure
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Cures say what to do about errors of a storage. The first that fits counts.
type Cures []struct {
	Err  error
	Cure string
}

// Explain makes err an *Error about what is called name, but for one that is already.
func (cs Cures) Explain(name string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &Error{Name: name, Err: err}
	for _, c := range cs {
		if errors.Is(err, c.Err) {
			e.Cure = c.Cure
			break
		}
	}
	return e
}

// Refused reports whether to start in spite of err, from Begin, would break a
// promise made to clients. Other errors delay what clients ask for until the
// storage works again.
func Refused(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign) || errors.Is(err, ErrBusy)
}

// Quote makes an owner string fit for a log line: printable, and of bounded
// length.
func Quote(owner string) string {
	const most = 96
	if len(owner) > most {
		return strconv.QuoteToASCII(owner[:most]) + "..."
	}
	return strconv.QuoteToASCII(owner)
}
