package rados

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/ganesha"
)

// Extended attributes of a set.
const (
	runAttr     = "tidegate.run"
	leaseAttr   = "tidegate.lease"
	settledAttr = "tidegate.settled"
	barredAttr  = "tidegate.barred." // and a key
)

// set is a node's records in an epoch, as its object was when last read or
// written.
type set struct {
	oid      string
	epoch    uint64
	version  uint64 // 0: there is no object
	stale    bool   // the object must be read before it is written
	run      uint64
	lease    time.Duration
	settled  bool
	imported []string

	records map[string]entry    // by owner
	taken   map[string]bool     // keys in use
	junk    map[string]struct{} // keys whose values cannot be read
}

// entry is where an owner stands. The same client has several keys if it came to
// nfs-ganesha by several addresses.
type entry struct {
	client recovery.Client
	keys   []string
	barred string // the key in an attribute's name; "": none
}

// changes are records to write, by owner; nil removes one.
type changes map[string]*recovery.Client

func setName(epoch uint64, node string) string { return fmt.Sprintf("rec-%016x:%s", epoch, node) }

// read reads a set, which is empty if there is no object.
func (s *set) read(ctx context.Context, pool cluster.Pool) error {
	o, err := pool.Read(ctx, s.oid)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	*s = set{
		oid: s.oid, epoch: s.epoch, version: o.Version,
		settled: len(o.Attrs[settledAttr]) > 0,
		records: make(map[string]entry), taken: make(map[string]bool), junk: make(map[string]struct{}),
	}
	s.run, _ = strconv.ParseUint(string(o.Attrs[runAttr]), 10, 64)
	s.lease, _ = time.ParseDuration(string(o.Attrs[leaseAttr]))
	s.imported = strings.Split(string(o.Attrs[importedAttr]), "\n")
	for key, value := range o.Omap {
		s.taken[key] = true
		s.add(key, string(value), false)
	}
	for name, value := range o.Attrs {
		if key, ok := strings.CutPrefix(name, barredAttr); ok {
			s.taken[key] = true
			s.add(key, string(value), true)
		}
	}
	return nil
}

// add takes one record in. Of one owner's records, one that bars it counts.
func (s *set) add(key, value string, barred bool) {
	flags := ""
	if barred {
		flags, value, _ = strings.Cut(value, " ")
	}
	c, ok := ganesha.Parse(value)
	if !ok {
		s.junk[key] = struct{}{}
		return
	}
	e := s.records[c.Owner]
	if barred {
		e.barred = key
		c.Revoked, c.Incomplete = strings.Contains(flags, "r"), strings.Contains(flags, "i")
	} else {
		e.keys = append(e.keys, key)
		slices.Sort(e.keys)
	}
	if e.client.Owner == "" || !c.MayReclaim() {
		e.client = c
	}
	s.records[c.Owner] = e
}

// note says what could not be read.
func (s *set) note() []string {
	if len(s.junk) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("object %s: %d values cannot be read; their clients may not reclaim", s.oid, len(s.junk))}
}

// apply makes changes, and sets attributes, in one operation. It reports whether
// the object must be read and the call repeated.
func (s *set) apply(ctx context.Context, pool cluster.Pool, cs changes, attrs map[string]string) (again bool, err error) {
	w := cluster.Write{Version: s.version, Set: make(map[string][]byte), Attrs: make(map[string][]byte)}
	next := make(map[string]entry, len(cs))
	taken := make(map[string]bool)
	for owner, c := range cs {
		next[owner] = s.plan(&w, owner, c, taken)
	}
	for name, value := range attrs {
		w.Attrs[name] = []byte(value)
	}
	if s.version != 0 && len(w.Set)+len(w.Drop)+len(w.Attrs) == 0 {
		return false, nil
	}
	version, err := pool.Apply(ctx, s.oid, w)
	if err != nil {
		s.stale = true // it may have happened
		if errors.Is(err, cluster.ErrChanged) {
			return true, nil
		}
		return false, err
	}
	s.version = version
	for owner := range next {
		for _, key := range s.records[owner].all() {
			delete(s.taken, key)
		}
	}
	for owner, e := range next {
		if s.records[owner] = e; e.client.Owner == "" {
			delete(s.records, owner)
		}
		for _, key := range e.all() {
			s.taken[key] = true
		}
	}
	return false, nil
}

// all are the keys of an entry.
func (e entry) all() []string {
	if e.barred == "" {
		return e.keys
	}
	return append(slices.Clip(e.keys), e.barred)
}

// plan adds to w what makes an owner's record c, and returns its entry then.
func (s *set) plan(w *cluster.Write, owner string, c *recovery.Client, taken map[string]bool) entry {
	e := s.records[owner]
	drop, bar := e.keys, e.barred
	if c == nil {
		e = entry{}
	} else if key := s.key(owner, e, taken); c.MayReclaim() {
		w.Set[key] = []byte(ganesha.Format(*c) + "\x00")
		drop = slices.DeleteFunc(slices.Clone(drop), func(k string) bool { return k == key })
		e = entry{client: *c, keys: []string{key}}
	} else {
		w.Attrs[barredAttr+key] = []byte(flags(c) + " " + ganesha.Format(*c))
		e = entry{client: *c, barred: key}
	}
	if bar != "" && bar != e.barred {
		w.Attrs[barredAttr+bar] = nil
	}
	w.Drop = append(w.Drop, drop...)
	return e
}

func flags(c *recovery.Client) (s string) {
	if c.Revoked {
		s += "r"
	}
	if c.Incomplete {
		s += "i"
	}
	return s
}

// key is an owner's own: the one that it has, or one that nobody has.
func (s *set) key(owner string, e entry, taken map[string]bool) string {
	if e.barred != "" {
		return e.barred
	}
	if len(e.keys) > 0 {
		return e.keys[0]
	}
	sum := sha256.Sum256([]byte(owner))
	for n := binary.BigEndian.Uint64(sum[:]); ; n++ {
		if key := strconv.FormatUint(n, 10); !s.taken[key] && !taken[key] {
			taken[key] = true
			return key
		}
	}
}
