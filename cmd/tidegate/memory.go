package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// memoryNone is a --memory-limit that sets none.
const memoryNone = "none"

// collect is how much the heap may grow between two garbage collections, in per
// cent of what is in use. The heap of a server is small beside what its buffers and
// its file systems take, and collections cost tail latency.
const collect = 400

// limitMemory tells the Go runtime when to collect garbage, and the log what it
// was told. What the environment says by GOMEMLIMIT and GOGC stands.
func limitMemory(s *settings, log *zap.Logger) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collect)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	limit, err := memoryLimit(s.memory, os.DirFS("/"))
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(limit)
	if limit != math.MaxInt64 {
		log.Info("memory is limited", zap.Int64("bytes", limit))
	}
	return nil
}

// memoryLimit is what --memory-limit comes to on a host with this root directory:
// "" is three quarters of what the control group may have. The rest is for what
// the Go runtime does not count: stacks of libraries, and libcephfs.
func memoryLimit(flag string, root fs.FS) (int64, error) {
	switch flag {
	case memoryNone:
		return math.MaxInt64, nil
	case "":
		if all := groupMemory(root); all != math.MaxInt64 {
			return all / 4 * 3, nil
		}
		return math.MaxInt64, nil
	}
	n, err := parseSize(flag)
	if err != nil {
		return 0, fmt.Errorf("--memory-limit %s: %w", flag, err)
	}
	return n, nil
}

// groupMemory is the least of the limits of the process's control group and those
// above it, or the largest number there is.
func groupMemory(root fs.FS) int64 {
	const hierarchy = "sys/fs/cgroup"
	limit := int64(math.MaxInt64)
	b, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return limit
	}
	for line := range strings.Lines(string(b)) {
		group, unified := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !unified {
			continue
		}
		for at := path.Join(hierarchy, group); strings.HasPrefix(at, hierarchy); at = path.Dir(at) {
			text, err := fs.ReadFile(root, path.Join(at, "memory.max"))
			if err != nil {
				continue
			}
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // or "max"
				limit = min(limit, n)
			}
		}
	}
	return limit
}

// leastMemory is what a server needs to do anything but collect garbage.
const leastMemory = 32 << 20

// parseSize reads a number of bytes: with K, M, G or T, of so many.
func parseSize(text string) (int64, error) {
	digits, unit := text, 0
	if n := len(text); n > 0 {
		if at := strings.IndexByte("KMGT", text[n-1]); at >= 0 {
			digits, unit = text[:n-1], 10*(at+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>unit {
		return 0, errors.New("write a number of bytes, as 512M or 2G, or " + memoryNone)
	}
	if n <<= unit; n < leastMemory {
		return 0, fmt.Errorf("must be %dM at least", leastMemory>>20)
	}
	return n, nil
}
