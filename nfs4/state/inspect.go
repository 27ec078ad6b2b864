package state

import (
	"iter"
	"maps"
	"slices"

	"github.com/tidegate/tidegate/nfs4/state/ranges"
)

// What follows tells people what clients hold. It takes no lock but for a moment
// that of one file, so it may miss what comes and goes meanwhile.

// SessionInfo is one session.
type SessionInfo struct {
	ID             SessionID
	Client         ClientID
	Owner          string // of the client
	Slots, Running int
}

// Sessions tells of the sessions of a client; of 0, of all.
func (s *Store) Sessions(of ClientID) iter.Seq[SessionInfo] {
	return func(yield func(SessionInfo) bool) {
		for c := range s.eachClient(of) {
			for _, ss := range c.Sessions() {
				x := SessionInfo{ss.ID, c.ID, c.Owner, int(ss.accepted.Load()), max(0, int(ss.running.Load()))}
				if !yield(x) {
					return
				}
			}
		}
	}
}

// Held is a file that a client has something of.
type Held struct {
	Client  ClientID
	File    FileKey
	Stateid Stateid
	Revoked Error // 0: it has it still
}

// OpenInfo is one open.
type OpenInfo struct {
	Held
	Owner        string // the open-owner
	Access, Deny Share
}

// Opens tells of the opens of a client; of 0, of all.
func (s *Store) Opens(of ClientID) iter.Seq[OpenInfo] {
	return func(yield func(OpenInfo) bool) {
		for e, held := range s.eachStateid(of) {
			if e.deleg != nil || e.locks != nil {
				continue
			}
			o := e.open
			o.file.mu.Lock()
			x := OpenInfo{held, o.owner, o.held.access, o.held.deny}
			o.file.mu.Unlock()
			if !yield(x) {
				return
			}
		}
	}
}

// DelegationInfo is one delegation.
type DelegationInfo struct {
	Held
	Write    bool
	Recalled bool
}

// DelegationInfos tells of the delegations of a client; of 0, of all.
func (s *Store) DelegationInfos(of ClientID) iter.Seq[DelegationInfo] {
	return func(yield func(DelegationInfo) bool) {
		for e, held := range s.eachStateid(of) {
			d := e.deleg
			if d == nil {
				continue
			}
			d.on.mu.Lock()
			x := DelegationInfo{held, d.Write, d.recalled != 0}
			d.on.mu.Unlock()
			if !yield(x) {
				return
			}
		}
	}
}

// LockInfo is one locked range.
type LockInfo struct {
	Client ClientID
	File   FileKey
	Owner  string // the lock-owner
	Write  bool
	Range  ranges.Range
}

// Locks tells of the byte ranges that a client has locked; of 0, all clients.
func (s *Store) Locks(of ClientID) iter.Seq[LockInfo] {
	return func(yield func(LockInfo) bool) {
		for i := range s.files.shards {
			for _, f := range s.files.shards[i].all() {
				for _, x := range f.lockInfos(of) {
					if !yield(x) {
						return
					}
				}
			}
		}
	}
}

func (sh *fileShard) all() []*File {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return slices.Collect(maps.Values(sh.files))
}

func (f *File) lockInfos(of ClientID) (all []LockInfo) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.ranges.All() {
		if c := l.Owner.client; of == 0 || c.ID == of {
			all = append(all, LockInfo{c.ID, f.key, l.Owner.name, l.Write, l.Range})
		}
	}
	return all
}

// eachClient visits the client called of; with 0, all.
func (s *Store) eachClient(of ClientID) iter.Seq[*Client] {
	if of == 0 {
		return s.clients.values()
	}
	return func(yield func(*Client) bool) {
		if c := s.client(of); c != nil {
			yield(c)
		}
	}
}

// eachStateid visits what the stateids of clients name.
func (s *Store) eachStateid(of ClientID) iter.Seq2[*entry, Held] {
	return func(yield func(*entry, Held) bool) {
		for c := range s.eachClient(of) {
			for e := range c.stateids.values() {
				if !yield(e, Held{c.ID, *e.key(), e.stateid(), Error(e.revoked.Load())}) {
					return
				}
			}
		}
	}
}
