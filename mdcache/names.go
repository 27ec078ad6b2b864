package mdcache

import "sync"

// names are the names of a directory that are known: where each leads, or nil
// where it leads nowhere. The nodes have no reference here.
type names struct {
	mu     sync.Mutex
	change uint64           // Guarded by mu. The directory's, before the names were looked up.
	sure   bool             // Guarded by mu. A change since then would show.
	to     map[string]*node // Guarded by mu.
}

// find returns where name leads in the directory with that Change.
func (s *names) find(name string, change uint64) (to *node, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sure || s.change != change {
		return nil, false
	}
	to, known = s.to[name]
	return to, known
}

// last returns where name led when it was looked up last, or nil.
func (s *names) last(name string) *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to[name]
}

// clear forgets all and returns how many there were.
func (s *names) clear() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.to)
	s.to = nil
	return n
}

// changed forgets where name led: that is about to change.
func (n *node) changed(name string) {
	n.names.mu.Lock()
	defer n.names.mu.Unlock()
	if _, known := n.names.to[name]; known {
		delete(n.names.to, name)
		n.fs.names.Add(-1)
	}
}

// note remembers where name led after the directory had that Change, and is sure
// if every change since that one was read shows.
func (n *node) note(name string, to *node, change uint64, sure bool) {
	s, total := &n.names, &n.fs.names
	s.mu.Lock()
	defer s.mu.Unlock()
	full := total.Load() >= int64(n.fs.cfg.Names)
	if full || s.change != change || s.sure != sure {
		total.Add(-int64(len(s.to)))
		clear(s.to)
		s.change, s.sure = change, sure
	}
	if total.Load() >= int64(n.fs.cfg.Names) {
		return
	}
	if s.to == nil {
		s.to = make(map[string]*node)
	}
	if _, known := s.to[name]; !known {
		total.Add(1)
	}
	s.to[name] = to
}
