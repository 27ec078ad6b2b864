package fs

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// crashDisk is storage that knows what a crash would leave of it. Names and
// contents that were not synced are pending, and a crash may lose any of them,
// in any combination; of a file's content it may also leave the first half.
//
// Operations may come from many goroutines. The hooks are called with mu held.
type crashDisk struct {
	mu      sync.Mutex
	live    tree // what the running server sees
	durable tree // what was synced
	pending []change
	nextID  int
	rng     *rand.Rand // of what Crashes takes at random

	step func()                      // called after every change; a sync adds nothing that a crash could leave
	fail func(op, name string) error // nil, or what makes an operation fail
}

// tree is a file system: inodes by id, the root's being 0.
type tree map[int]inode

type inode struct {
	names   map[string]int // of a directory
	content string         // of a file
}

// change is something not yet synced. It belongs to an inode, whose sync makes
// it durable.
type change struct {
	of      int
	content bool   // else a change of names in a directory
	write   string // the content
	drop    string // the name that goes, if any
	add     string // the name that comes, if any
	id      int    // what it names
}

func newCrashDisk() *crashDisk {
	t := tree{0: {names: map[string]int{}}}
	return &crashDisk{live: t, durable: t.clone(), nextID: 1, rng: rand.New(rand.NewPCG(1, 2))}
}

func (t tree) clone() tree {
	c := maps.Clone(t)
	for id, n := range c {
		if n.names != nil {
			c[id] = inode{names: maps.Clone(n.names)}
		}
	}
	return c
}

func (t tree) apply(c change) {
	if c.content {
		t[c.of] = inode{content: c.write}
		return
	}
	names := t[c.of].names
	delete(names, c.drop)
	if c.add != "" {
		names[c.add] = c.id
	}
}

func (t tree) walk(name string) (int, bool) {
	id := 0
	for _, part := range strings.Split(path.Clean(name), "/") {
		if part == "." {
			continue
		}
		next, ok := t[id].names[part]
		if !ok {
			return 0, false
		}
		id = next
	}
	return id, true
}

// named returns all inodes that a directory names.
func (t tree) named() map[int]bool {
	named := map[int]bool{0: true}
	for _, node := range t {
		for _, id := range node.names {
			named[id] = true
		}
	}
	return named
}

// list writes the tree down and numbers the inodes in it, in one order.
func (t tree) list(b *strings.Builder, number map[int]int) {
	var list func(id int)
	list = func(id int) {
		if _, ok := number[id]; !ok {
			number[id] = len(number)
		}
		b.WriteString(strconv.Itoa(number[id]))
		b.WriteString(t[id].content)
		b.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(t[id].names)) {
			b.WriteString(name)
			list(t[id].names[name])
		}
		b.WriteByte('}')
	}
	list(0)
}

const (
	lost = iota
	kept
	torn
)

// Step implements recoverytest.Storage.
func (d *crashDisk) Step(f func()) { d.step = f }

// Crashes calls yield with what the next server may find after a crash of the
// machine now: all combinations of pending changes if there are few, else none,
// all, each alone, each pair, all but each and each pair, and some at random.
// With latest, only those in which the last of them was not lost; without it,
// all is as it was an operation ago.
func (d *crashDisk) Crashes(latest bool, yield func(*crashDisk)) {
	fates := make([]int, len(d.pending))
	free := fates
	if latest {
		free = fates[:len(fates)-1]
		fates[len(free)] = kept
	}
	if len(free) <= 6 {
		d.choose(fates, 0, len(free), yield)
		return
	}
	for _, most := range []int{lost, kept} {
		for i := range free {
			for j := range i + 1 {
				for k := range free {
					free[k] = most
				}
				yield(d.after(fates))
				free[i], free[j] = 1-most, 1-most
				yield(d.after(fates))
			}
		}
	}
	for range 32 {
		for i := range free {
			free[i] = d.rng.IntN(2)
		}
		yield(d.after(fates))
	}
}

// choose yields all combinations of fates from the i-th on, of which those
// before the n-th are free and others only not lost.
func (d *crashDisk) choose(fates []int, i, n int, yield func(*crashDisk)) {
	if i == len(fates) {
		yield(d.after(fates))
		return
	}
	for fate := lost; fate <= torn; fate++ {
		if fate == lost && i >= n || fate == torn && !d.pending[i].content {
			continue
		}
		fates[i] = fate
		d.choose(fates, i+1, n, yield)
	}
}

// Copy is also what a crash of the process alone leaves: the same things are
// visible, and the same pending.
func (d *crashDisk) Copy() *crashDisk {
	return &crashDisk{live: d.live.clone(), durable: d.durable.clone(), pending: slices.Clone(d.pending), nextID: d.nextID, rng: d.rng}
}

// after returns the disk with these fates of its pending changes, to be copied
// before use.
func (d *crashDisk) after(fates []int) *crashDisk {
	t := d.durable.clone()
	for i, c := range d.pending {
		if fates[i] == torn {
			c.write = c.write[:len(c.write)/2]
		}
		if fates[i] != lost {
			t.apply(c)
		}
	}
	named := t.named()
	maps.DeleteFunc(t, func(id int, _ inode) bool { return !named[id] })
	return &crashDisk{live: t, durable: t, nextID: d.nextID, rng: d.rng}
}

// String is equal for disks that behave the same from here on.
func (d *crashDisk) String() string {
	var b strings.Builder
	number := make(map[int]int)
	d.live.list(&b, number)
	if len(d.pending) != 0 {
		d.durable.list(&b, number)
	}
	for _, c := range d.pending {
		for _, id := range []int{c.of, c.id} {
			if _, ok := number[id]; !ok {
				number[id] = len(number)
			}
		}
		fmt.Fprintf(&b, "%d %v %q -%s +%s %d\n", number[c.of], c.content, c.write, c.drop, c.add, number[c.id])
	}
	return b.String()
}

// do begins an operation, and returns with mu held.
func (d *crashDisk) do(op, name string) error {
	d.mu.Lock()
	if d.fail == nil {
		return nil
	}
	return d.fail(op, name)
}

func (d *crashDisk) pend(c change) {
	d.live.apply(c)
	d.pending = append(d.pending, c)
	if d.step != nil {
		d.step()
	}
}

func (d *crashDisk) sync(id int, content bool) {
	d.pending = slices.DeleteFunc(d.pending, func(c change) bool {
		if c.of != id || c.content != content {
			return false
		}
		d.durable.apply(c)
		return true
	})
	live, durable := d.live.named(), d.durable.named()
	d.pending = slices.DeleteFunc(d.pending, func(c change) bool { return !live[c.of] && !durable[c.of] })
}

func (d *crashDisk) parent(name string) (int, error) {
	id, ok := d.live.walk(path.Dir(name))
	if !ok {
		return 0, iofs.ErrNotExist
	}
	return id, nil
}

func (d *crashDisk) add(name string, node inode) (int, error) {
	dir, err := d.parent(name)
	if err != nil {
		return 0, err
	}
	id := d.nextID
	d.nextID++
	d.live[id] = node
	d.durable[id] = tree{0: node}.clone()[0] // empty, and in no directory
	d.pend(change{of: dir, add: path.Base(name), id: id})
	return id, nil
}

func (d *crashDisk) Create(name string) (file, error) {
	defer d.mu.Unlock()
	if err := d.do("create", name); err != nil {
		return nil, err
	}
	id, ok := d.live.walk(name)
	if ok {
		d.pend(change{of: id, content: true})
		return &crashFile{d, id, name}, nil
	}
	id, err := d.add(name, inode{})
	return &crashFile{d, id, name}, err
}

func (d *crashDisk) Mkdir(name string) error {
	defer d.mu.Unlock()
	if err := d.do("mkdir", name); err != nil {
		return err
	}
	if _, ok := d.live.walk(name); ok {
		return iofs.ErrExist
	}
	_, err := d.add(name, inode{names: map[string]int{}})
	return err
}

func (d *crashDisk) Rename(from, to string) error {
	defer d.mu.Unlock()
	if err := d.do("rename", to); err != nil {
		return err
	}
	dir, err := d.parent(from)
	id, ok := d.live.walk(from)
	if err != nil || !ok || path.Dir(from) != path.Dir(to) {
		return iofs.ErrNotExist
	}
	d.pend(change{of: dir, drop: path.Base(from), add: path.Base(to), id: id})
	return nil
}

func (d *crashDisk) Remove(name string) error {
	defer d.mu.Unlock()
	if err := d.do("remove", name); err != nil {
		return err
	}
	dir, err := d.parent(name)
	id, ok := d.live.walk(name)
	if err != nil || !ok {
		return iofs.ErrNotExist
	}
	if len(d.live[id].names) != 0 {
		return errors.New("not empty")
	}
	d.pend(change{of: dir, drop: path.Base(name)})
	return nil
}

func (d *crashDisk) Read(name string) ([]byte, error) {
	defer d.mu.Unlock()
	if err := d.do("read", name); err != nil {
		return nil, err
	}
	id, ok := d.live.walk(name)
	if !ok {
		return nil, iofs.ErrNotExist
	}
	return []byte(d.live[id].content), nil
}

func (d *crashDisk) ReadDir(name string) ([]string, error) {
	defer d.mu.Unlock()
	if err := d.do("readdir", name); err != nil {
		return nil, err
	}
	id, ok := d.live.walk(name)
	if !ok {
		return nil, iofs.ErrNotExist
	}
	return slices.Sorted(maps.Keys(d.live[id].names)), nil
}

func (d *crashDisk) SyncDir(name string) error {
	defer d.mu.Unlock()
	if err := d.do("syncdir", name); err != nil {
		return err
	}
	id, ok := d.live.walk(name)
	if !ok {
		return iofs.ErrNotExist
	}
	d.sync(id, false)
	return nil
}

func (d *crashDisk) Path(name string) string { return path.Join("disk", name) }

type crashFile struct {
	disk *crashDisk
	id   int
	name string
}

func (f *crashFile) Write(b []byte) (int, error) {
	defer f.disk.mu.Unlock()
	if err := f.disk.do("write", f.name); err != nil {
		return 0, err
	}
	f.disk.pend(change{of: f.id, content: true, write: f.disk.live[f.id].content + string(b)})
	return len(b), nil
}

func (f *crashFile) Sync() error {
	defer f.disk.mu.Unlock()
	if err := f.disk.do("sync", f.name); err != nil {
		return err
	}
	f.disk.sync(f.id, true)
	return nil
}

func (f *crashFile) Close() error { return nil }
