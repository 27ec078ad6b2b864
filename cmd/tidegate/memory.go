package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// memoryNone is a --memory-limit that sets none.
const memoryNone = "none"

// The heap may grow by roomToGrow at least from one garbage collection to the next,
// or by what is in use if that is more, but never by more than mostGrowth per cent of
// it. The heap of a server is small, and collections cost tail latency.
const (
	roomToGrow = 32 << 20
	mostGrowth = 400
)

// limitMemory tells the Go runtime when to collect garbage, and the log what it
// was told. What the environment says by GOMEMLIMIT and GOGC stands.
func limitMemory(s *settings, log *zap.Logger) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(mostGrowth)
		watchCollection(mostGrowth)
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

// watchCollection sets anew by how many per cent the heap may grow, after every
// collection, which frees an object of no use.
func watchCollection(percent int) {
	runtime.AddCleanup(new([16]byte), func(percent int) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		next := growth(live[0].Value.Uint64())
		if d := next - percent; d > percent/8 || -d > percent/8 { // to set it stops the world
			debug.SetGCPercent(next)
			percent = next
		}
		watchCollection(percent)
	}, percent)
}

// growth is by how many per cent a heap may grow of which so many bytes are in use.
func growth(live uint64) int {
	return int(min(max(roomToGrow*100/max(live, 1), 100), mostGrowth))
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
