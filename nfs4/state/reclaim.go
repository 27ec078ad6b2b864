package state

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/tidegate/tidegate/grace"
)

// graceError maps what the gate answers.
func graceError(err error) error {
	var why grace.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &why):
		return Delay
	}
	return [...]Error{
		grace.Grace: Grace, grace.NoGrace: NoGrace, grace.Delay: Delay, grace.CompleteAlready: CompleteAlready,
	}[why]
}

// Awaited returns Delay for an owner that is unknown here and on record at another
// server of the cluster: its state is there, and nowhere else can it be reclaimed.
func (s *Store) Awaited(ctx context.Context, name string) error {
	s.mu.Lock()
	o := s.owners[name]
	known := o != nil && o.confirmed != nil
	s.mu.Unlock()
	if known {
		return nil
	}
	return graceError(s.cfg.Grace.Awaited(ctx, name))
}

// OtherSession reports whether a session may be one at another server of the cluster.
func (s *Store) OtherSession(ctx context.Context, id SessionID) bool {
	return s.other(ctx, binary.BigEndian.Uint32(id[:]), hex.EncodeToString(id[:]))
}

// OtherClient reports whether a client may be one of another server of the cluster.
func (s *Store) OtherClient(ctx context.Context, id ClientID) bool {
	return s.other(ctx, id.epoch(), "")
}

func (s *Store) other(ctx context.Context, epoch uint32, session string) bool {
	return epoch != s.cfg.Epoch && s.cfg.Grace.Other(ctx, uint64(epoch), session)
}

// Release forgets the client of a session if its lease ran out: another server waits
// for that. It reports whether there is no such session any more.
func (s *Store) Release(ctx context.Context, id SessionID) bool {
	ss, err := s.Session(id)
	if err != nil {
		return true
	}
	c := ss.Client
	return c.bar(c.expired) && s.forget(ctx, c) == nil
}

// kindOf says what a request wants to pass the gate for: with reclaim, for state of
// the run before.
func kindOf(reclaim bool) grace.Kind {
	if reclaim {
		return grace.Reclaim
	}
	return grace.NewState
}

// pass has the client on record, with exclusive as one that may deny others, if the
// gate lets a kind of state in, on the file of key. What is then granted passes once
// more, by admit: a request may wait in the file system for what a dead server held,
// and would keep that one from coming back if it stood in the gate meanwhile.
func (c *Client) pass(ctx context.Context, kind grace.Kind, key *FileKey, exclusive bool) error {
	if err := c.admit(kind); err != nil {
		return err
	}
	defer c.grace.Leave()
	if kind == grace.Reclaim && c.grace.Lost(key.handle()) {
		return ReclaimBad
	}
	return graceError(c.grace.Record(ctx, exclusive))
}

// admit passes the gate for a kind of state; c.grace.Leave must follow, soon: nothing
// in between waits for other requests, or for what others hold in the file system.
func (c *Client) admit(kind grace.Kind) error { return graceError(c.grace.Enter(kind)) }

// passOpen passes the gate for an OPEN. In a grace period too one may pass that is
// by a delegation (RFC 8881, 10.2.1), and one that denies nothing (RFC 8881,
// 8.4.2), without another delegation.
func (c *Client) passOpen(ctx context.Context, x *OpenRequest) error {
	x.kind = kindOf(x.Reclaim)
	err := c.pass(ctx, x.kind, &x.Key, x.Deny != 0)
	switch {
	case err != Grace:
		return err
	case x.Delegated:
		x.kind = grace.Delegated
	case x.Deny == 0:
		x.kind = grace.Harmless
	default:
		return err
	}
	x.Wish = WishNone
	return c.pass(ctx, x.kind, &x.Key, x.Delegated)
}

// MayMake says what OPEN would of a file that is yet to be made. A client that is told
// to come again must not find it then: it may have been made for who has no right to
// open it, as one who made it himself has.
func (c *Client) MayMake(ctx context.Context, deny Share) error {
	return c.passOpen(ctx, &OpenRequest{Deny: deny})
}

// Special says whether the client may do I/O on a file without an open of its
// own, under a special stateid; want 0 is to read in spite of share reservations.
// Errors: Locked, Grace, Delay while a delegation of another client is on its way
// back.
func (c *Client) Special(ctx context.Context, key FileKey, want Share) error {
	s := c.store
	if err := s.cfg.Grace.Enter(grace.Harmless); err != nil {
		return graceError(err)
	}
	s.cfg.Grace.Leave() // nothing is granted
	for {
		err := s.Denied(key, want)
		if err == nil {
			break
		}
		expired := s.expiredDenier(key, want)
		if expired == nil {
			return err
		}
		if err := expired.seize(ctx); err != nil {
			return err
		}
	}
	return s.Recall(ctx, key, c, want&ShareWrite != 0)
}
