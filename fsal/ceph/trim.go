//go:build ceph

package ceph

import (
	"context"
	"time"

	"github.com/tidegate/tidegate/fsal/ceph/ll"
)

// libcephfs allocates by malloc, whose arenas, one for each of many threads, keep
// what was freed: gigabytes after some minutes of large reads, of which libcephfs
// uses a hundredth.
const (
	trimEvery = 10 * time.Second
	idleMost  = 64 << 20 // bytes
)

// Trim gives back what malloc keeps for the whole process until ctx ends.
func Trim(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if ll.Idle() > idleMost {
			ll.Trim()
		}
	}
}
