package main

import (
	"math"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/mdcache"
)

// caches are those of the exports in force, of which there are so many.
func (t *exportTable) caches() (all []*mdcache.FS, exports int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.live {
		if x.fs == nil {
			continue
		}
		if c, ok := x.fs.FS.(*mdcache.FS); ok {
			all = append(all, c)
		}
	}
	return all, len(t.live)
}

// share has the exports in force share what may be kept at hand. Called with changing.
func (t *exportTable) share() {
	all, among := t.caches()
	for _, c := range all {
		c.Share(among)
	}
}

// cached keeps objects of fs, the file system of x, at hand: one of so many. Memory is
// at hand already.
func cached(fs fsal.FS, x *exportSpec, s *settings, among int) fsal.FS {
	nodes := s.cacheObjects
	switch x.source.kind {
	case config.VFS:
		nodes = min(nodes, descriptors()/4) // one each; the rest is for open files and clients
	case config.MEM:
		nodes = 0
	}
	if nodes/max(among, 1) <= 0 {
		return fs
	}
	c := mdcache.DefaultConfig(nodes)
	c.Bytes, c.Among, c.Chunk, c.Attr = int64(s.cacheSize)<<20, among, s.chunk, s.attrLife
	if x.terms != nil {
		c.Attr = min(c.Attr, x.attrLife)
	}
	return mdcache.New(fs, c)
}

// maxChunk bounds how many entries of a directory are read for the first of them.
const maxChunk = 1 << 14

// lifeOf is an Attr_Expiration_Time.
func lifeOf(seconds int64) time.Duration {
	if seconds < 0 {
		return math.MaxInt64
	}
	return time.Duration(seconds) * time.Second
}

// largestCache is the host's memory in MiB; the default is never too large.
func largestCache() int {
	const least = mdcache.DefaultBytes >> 20
	var host syscall.Sysinfo_t
	if err := syscall.Sysinfo(&host); err != nil {
		return least
	}
	return max(least, int(uint64(host.Totalram)*uint64(host.Unit)>>20))
}

// descriptors is how many files the process may have open.
func descriptors() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 1024
	}
	return int(min(files.Cur, 1<<24))
}
