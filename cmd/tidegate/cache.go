package main

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/mdcache"
)

// cached keeps objects of fs, one of so many, at hand. Memory is at hand already.
func cached(fs fsal.FS, kind string, s *settings, among int) fsal.FS {
	nodes := s.cacheObjects
	switch kind {
	case config.VFS:
		nodes = min(nodes, descriptors()/4) // one each; the rest is for open files and clients
	case config.MEM:
		nodes = 0
	}
	if nodes /= max(among, 1); nodes <= 0 {
		return fs
	}
	return mdcache.New(fs, mdcache.DefaultConfig(nodes))
}

// descriptors is how many files the process may have open.
func descriptors() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 1024
	}
	return int(min(files.Cur, 1<<24))
}
