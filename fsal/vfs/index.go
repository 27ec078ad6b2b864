//go:build linux

package vfs

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/tidegate/tidegate/fsal"
)

// placesInGeneration bounds the index: an entry takes about 80 bytes of file and
// 300 of memory, and there are two generations at most. One that was seen in two places
// takes as much memory again.
const placesInGeneration = 1 << 18

// place is where an object was seen: name in the directory whose Key is parent.
// It is a hint and proves nothing.
type place struct {
	parent fsal.Key
	name   string
	ino    uint64
}

// places remembers where objects were seen last. It is bounded: what was neither
// seen nor asked for while a whole generation filled up is forgotten.
//
// A generation is a map and a file of records; a record reaches the kernel
// before note returns, so that it outlives the process. A nil *places remembers
// nothing.
type places struct {
	limit int
	dir   string // "" keeps no files
	log   *zap.Logger

	mu     sync.RWMutex
	cur    map[fsal.Key]place // Guarded by mu.
	old    map[fsal.Key]place // Guarded by mu.
	before map[fsal.Key]place // Guarded by mu. What was in the place of one in cur: another name, or a former one.
	file   *os.File           // Guarded by mu. Records of cur; nil without dir or after a failed write.
	n      int                // Guarded by mu. Records in file.
	buf    []byte             // Guarded by mu. The record that is written.
}

const (
	curPlaces = "places"
	oldPlaces = "places.old"
)

func openPlaces(dir string, limit int, log *zap.Logger) (*places, error) {
	p := &places{limit: limit, dir: dir, log: log,
		cur: make(map[fsal.Key]place), old: make(map[fsal.Key]place), before: make(map[fsal.Key]place)}
	if dir == "" {
		return p, nil
	}
	if err := readPlaces(filepath.Join(dir, oldPlaces), p.old); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, curPlaces), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	end, n, err := scanPlaces(f, p.cur)
	if err == nil {
		err = f.Truncate(end) // a record cut short by a crash
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	p.file, p.n = f, n
	return p, nil
}

// note says that the object of k, with inode number ino, is name in parent.
func (p *places) note(k, parent fsal.Key, name string, ino uint64) {
	if p == nil {
		return
	}
	pl := place{parent, name, ino}
	p.mu.RLock()
	known := p.cur[k] == pl
	p.mu.RUnlock()
	if known {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.putLocked(k, pl)
}

// find returns where the object of k was seen last.
func (p *places) find(k fsal.Key) (place, bool) {
	if p == nil {
		return place{}, false
	}
	p.mu.RLock()
	pl, ok := p.cur[k]
	p.mu.RUnlock()
	if ok {
		return pl, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl, ok = p.old[k]; ok {
		p.putLocked(k, pl)
	}
	return pl, ok
}

// findBefore returns where the object of k, which find found, was seen before that.
func (p *places) findBefore(k fsal.Key) (place, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	pl, ok := p.before[k]
	return pl, ok
}

func (p *places) putLocked(k fsal.Key, pl place) {
	if max(p.n, len(p.cur)) >= p.limit {
		p.turnLocked()
	}
	if was, ok := p.cur[k]; ok && was != pl {
		p.before[k] = was
	}
	pl.name = strings.Clone(pl.name) // it may lie in a directory block
	p.cur[k] = pl
	if p.file == nil {
		return
	}
	p.buf = appendPlace(p.buf[:0], k, pl)
	if _, err := p.file.Write(p.buf); err != nil {
		p.failLocked(err)
	}
	p.n++
}

// turnLocked makes the current generation the old one.
func (p *places) turnLocked() {
	p.old, p.cur, p.n = p.cur, make(map[fsal.Key]place), 0
	clear(p.before)
	if p.file == nil {
		return
	}
	p.file.Close()
	cur := filepath.Join(p.dir, curPlaces)
	err := os.Rename(cur, filepath.Join(p.dir, oldPlaces))
	if err == nil {
		p.file, err = os.OpenFile(cur, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	}
	if err != nil {
		p.failLocked(err)
	}
}

// failLocked goes on without the file.
func (p *places) failLocked(err error) {
	p.log.Error("cannot write the index of places; file handles may go stale at the next restart: "+
		"make room in the state directory, or repair it, and restart", zap.String("dir", p.dir), zap.Error(err))
	p.file.Close()
	p.file = nil
}

func (p *places) close() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// A record is its length and checksum, four bytes each, then the inode number,
// the two Keys with a length byte each, and the name.

var errPlace = errors.New("not a record of a place")

const placeHead = 8

func appendPlace(b []byte, k fsal.Key, pl place) []byte {
	var head [placeHead]byte
	b = append(b, head[:]...)
	b = binary.LittleEndian.AppendUint64(b, pl.ino)
	b = k.AppendTo(append(b, byte(k.Len())))
	b = pl.parent.AppendTo(append(b, byte(pl.parent.Len())))
	b = append(b, pl.name...)
	binary.LittleEndian.PutUint32(b, uint32(len(b)-placeHead))
	binary.LittleEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[placeHead:]))
	return b
}

func parsePlace(b []byte) (k fsal.Key, pl place, err error) {
	if len(b) < 8 {
		return k, pl, errPlace
	}
	pl.ino, b = binary.LittleEndian.Uint64(b), b[8:]
	for _, to := range []*fsal.Key{&k, &pl.parent} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return k, pl, errPlace
		}
		n := 1 + int(b[0])
		var ok bool
		if *to, ok = fsal.MakeKey(b[1:n]); !ok {
			return k, pl, errPlace
		}
		b = b[n:]
	}
	pl.name = string(b)
	return k, pl, nil
}

// scanPlaces reads records into m up to the first that is not whole, and returns
// where that is and how many came before.
func scanPlaces(r io.Reader, m map[fsal.Key]place) (end int64, n int, err error) {
	br := bufio.NewReaderSize(r, 1<<16)
	const longest = 8 + 2*(1+fsal.MaxKey) + unix.PathMax
	var head [placeHead]byte
	body := make([]byte, 0, longest)
	for {
		if _, err := io.ReadFull(br, head[:]); err != nil {
			return end, n, torn(err)
		}
		size := binary.LittleEndian.Uint32(head[:])
		if size > longest {
			return end, n, nil
		}
		body = body[:size]
		if _, err := io.ReadFull(br, body); err != nil {
			return end, n, torn(err)
		}
		k, pl, err := parsePlace(body)
		if err != nil || crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(head[4:]) {
			return end, n, nil
		}
		m[k] = pl
		end += placeHead + int64(size)
		n++
	}
}

func torn(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}

func readPlaces(name string, m map[fsal.Key]place) error {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = scanPlaces(f, m)
	return err
}
