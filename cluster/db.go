package cluster

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
)

// Flags are a node's state in the database, one byte as ganesha writes it.
type Flags byte

// The flags of a node.
const (
	Need    Flags = 1 << iota // N: it has clients that may reclaim
	Enforce                   // E: it gives no new state
)

// Limits of a database: a body of another size, or more nodes, is damage.
const (
	bodySize = 16
	maxNodes = 1024
)

// DB is what the grace database says: a value, without I/O. Its methods are the
// operations of the nodes; each returns whether it changed anything.
type DB struct {
	Cur, Rec uint64 // epochs; Rec 0: no grace period
	Nodes    map[string]Flags
}

// newDB is a database that was just made.
func newDB() DB { return DB{Cur: 1, Nodes: make(map[string]Flags)} }

// decode reads an object's body and omap. Damage is ENOTRECOVERABLE.
func decode(body []byte, omap map[string][]byte) (DB, error) {
	if len(body) != bodySize || len(omap) > maxNodes {
		return DB{}, syscall.ENOTRECOVERABLE
	}
	db := DB{
		Cur:   binary.LittleEndian.Uint64(body),
		Rec:   binary.LittleEndian.Uint64(body[8:]),
		Nodes: make(map[string]Flags, len(omap)),
	}
	for node, value := range omap {
		if len(value) != 1 {
			return DB{}, syscall.ENOTRECOVERABLE
		}
		db.Nodes[node] = Flags(value[0])
	}
	return db, nil
}

func (db *DB) body() []byte {
	b := binary.LittleEndian.AppendUint64(nil, db.Cur)
	return binary.LittleEndian.AppendUint64(b, db.Rec)
}

func (db *DB) clone() DB {
	c := *db
	c.Nodes = maps.Clone(db.Nodes)
	return c
}

// known returns ENOKEY unless all nodes are members.
func (db *DB) known(nodes []string) error {
	for _, n := range nodes {
		if _, ok := db.Nodes[n]; !ok {
			return syscall.ENOKEY
		}
	}
	return nil
}

// count returns how many nodes have all of want.
func (db *DB) count(want Flags) (n int) {
	for _, f := range db.Nodes {
		if f&want == want {
			n++
		}
	}
	return n
}

// Add makes nodes members, which enforce until they are started. If any is one
// already nothing changes.
func (db *DB) Add(nodes ...string) error {
	for _, n := range nodes {
		if _, ok := db.Nodes[n]; ok {
			return nil
		}
	}
	if len(db.Nodes)+len(nodes) > maxNodes {
		return syscall.ENOSPC
	}
	for _, n := range nodes {
		db.Nodes[n] = Enforce
	}
	return nil
}

// Start says that nodes need a grace period, and begins one unless one is under
// way.
func (db *DB) Start(nodes ...string) error {
	if err := db.known(nodes); err != nil {
		return err
	}
	if db.Rec == 0 {
		db.Rec = db.Cur
		db.Cur++
	}
	db.raise(nodes, Need|Enforce)
	return nil
}

// Join says that nodes need the grace period that is under way, if one is.
func (db *DB) Join(nodes ...string) error {
	if err := db.known(nodes); err != nil {
		return err
	}
	if db.Rec != 0 {
		db.raise(nodes, Need|Enforce)
	}
	return nil
}

// Lift says that nodes need the grace period no more. It does nothing while a
// member does not enforce. The last one that needs it ends it.
func (db *DB) Lift(nodes ...string) error {
	if err := db.known(nodes); err != nil {
		return err
	}
	if db.Rec == 0 || db.count(Enforce) < len(db.Nodes) {
		return nil
	}
	db.lower(nodes, Need)
	db.settle()
	return nil
}

// Remove ends the membership of nodes. Unlike ganesha's tool it ends the grace
// period only when no member needs it.
func (db *DB) Remove(nodes ...string) error {
	if err := db.known(nodes); err != nil {
		return err
	}
	for _, n := range nodes {
		delete(db.Nodes, n)
	}
	db.settle()
	return nil
}

// settle ends a grace period that nobody needs.
func (db *DB) settle() {
	if db.count(Need) == 0 {
		db.Rec = 0
	}
}

// Enforcing says that nodes give no new state.
func (db *DB) Enforcing(nodes ...string) error {
	if err := db.known(nodes); err != nil {
		return err
	}
	db.raise(nodes, Enforce)
	return nil
}

// Relaxed says that nodes may give new state.
func (db *DB) Relaxed(nodes ...string) error {
	if err := db.known(nodes); err != nil {
		return err
	}
	db.lower(nodes, Enforce)
	return nil
}

// Members returns ENOENT unless all nodes are members.
func (db *DB) Members(nodes ...string) error {
	if db.known(nodes) != nil {
		return syscall.ENOENT
	}
	return nil
}

// AllEnforcing reports whether every member gives no new state.
func (db *DB) AllEnforcing() bool { return db.count(Enforce) == len(db.Nodes) }

func (db *DB) raise(nodes []string, f Flags) {
	for _, n := range nodes {
		db.Nodes[n] |= f
	}
}

func (db *DB) lower(nodes []string, f Flags) {
	for _, n := range nodes {
		db.Nodes[n] &^= f
	}
}

// String is the dump of ganesha-rados-grace.
func (db DB) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cur=%d rec=%d\n%s\n", db.Cur, db.Rec, strings.Repeat("=", 54))
	for _, n := range slices.Sorted(maps.Keys(db.Nodes)) {
		fmt.Fprintf(&b, "%s\t%s\n", n, db.Nodes[n])
	}
	return b.String()
}

// String is N or a blank, and E or a blank.
func (f Flags) String() string {
	s := []byte("  ")
	if f&Need != 0 {
		s[0] = 'N'
	}
	if f&Enforce != 0 {
		s[1] = 'E'
	}
	return string(s)
}
