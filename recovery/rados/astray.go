package rados

import (
	"context"
	"errors"
	"io/fs"

	"github.com/tidegate/tidegate/cluster"
)

// A member to which a proxy sends another's clients asks that one whether their
// sessions are over, in an object of the other's: by session, in hexadecimal, a
// question, and later the answer.
const (
	question = "?"
	over     = "over"

	maxQuestions = 10_000
)

func astrayName(node string) string { return "tidegate-astray:" + node }

// box is such an object, as it was when last read or written.
type box struct {
	oid     string
	version uint64
	says    map[string]string
}

func (b *box) read(ctx context.Context, pool cluster.Pool) error {
	o, err := pool.Read(ctx, b.oid)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain(b.oid, err)
	}
	b.version, b.says = o.Version, make(map[string]string, len(o.Omap))
	for session, value := range o.Omap {
		b.says[session] = string(value)
	}
	return nil
}

// put makes the object say so of some sessions. If somebody was faster it is left as
// it is: there will be another time.
func (b *box) put(ctx context.Context, pool cluster.Pool, value string, sessions ...string) error {
	w := cluster.Write{Version: b.version, Set: make(map[string][]byte)}
	for _, s := range sessions {
		w.Set[s] = []byte(value)
	}
	version, err := pool.Apply(ctx, b.oid, w)
	switch {
	case errors.Is(err, cluster.ErrChanged):
		return nil
	case err != nil:
		return explain(b.oid, err)
	}
	b.version = version
	for _, s := range sessions {
		b.says[s] = value
	}
	return nil
}

// over reports whether a session is, or asks.
func (b *box) over(ctx context.Context, pool cluster.Pool, session string) (bool, error) {
	switch {
	case b.says[session] == over:
		return true, nil
	case b.says[session] == question, len(b.says) >= maxQuestions:
		return false, nil
	}
	return false, b.put(ctx, pool, question, session)
}

// Answer tells the other members which of the sessions that they ask about are over.
func (b *Backend) Answer(ctx context.Context, ended func(session string) bool) error {
	own := &box{oid: astrayName(b.cfg.Node)}
	if err := own.read(ctx, b.cfg.Pool); err != nil {
		return err
	}
	var sessions []string
	for session, value := range own.says {
		if value == question && ended(session) {
			sessions = append(sessions, session)
		}
	}
	if len(sessions) == 0 {
		return nil
	}
	return own.put(ctx, b.cfg.Pool, over, sessions...)
}
