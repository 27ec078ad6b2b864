//go:build ceph

package ceph

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// An MDS counts the capabilities that it asks a client for, forgets half of them each
// minute, and complains of who had more than 256 Ki asked for (MDS_CLIENT_RECALL,
// mds_recall_warning_threshold and mds_recall_warning_decay_rate): of a client that
// takes 3,028 a second beyond what it may keep, however fast it gives them back.
const (
	paceHalf   = time.Minute
	paceMost   = 256 << 10 * 7 / 8                                   // capabilities; an eighth is for those that are asked for twice
	paceSteady = paceMost * math.Ln2 / float64(paceHalf/time.Second) // a second, when half are forgotten each minute
	paceWait   = time.Second                                         // at most, for one call
	pressure   = 5 * time.Second                                     // from one request to another, of which there is one each second
)

// pace slows down what takes new capabilities, where an MDS has asked for many back.
type pace struct {
	asked  atomic.Int64              // when an MDS asked last, as since; 0 is never
	recent [recentMost]atomic.Uint64 // inodes, by their hash: its lower 48 bits, and the second in 16
	mu     sync.Mutex
	taken  float64 // Guarded by mu. as the MDS counts, at the time at
	at     int64   // Guarded by mu. as since
	epoch  time.Time
	waited atomic.Int64  // nanoseconds, of all calls together
	asks   atomic.Uint64 // for capabilities, of all MDSs
}

// recentMost is more than an MDS hears of within the seconds that giving back takes.
const recentMost = 1 << recentBits
const recentBits = 14

// since is the time in nanoseconds, never 0.
func (p *pace) since() int64 { return int64(time.Since(p.epoch)) | 1 }

// press says that an MDS asks for capabilities.
func (p *pace) press() {
	p.asks.Add(1)
	p.asked.Store(p.since())
}

// takes says whether an inode that was just found brought a capability that an MDS will
// ask for: not if none does, or if it was found a moment ago.
func (p *pace) takes(id vino) bool {
	asked := p.asked.Load()
	if asked == 0 {
		return false
	}
	now := p.since()
	if now-asked > int64(pressure) {
		return false
	}
	const golden = 0x9e3779b97f4a7c15
	hash := (id.ino ^ id.snap*golden) * golden
	second := uint16(now / int64(time.Second))
	at := &p.recent[hash>>(64-recentBits)]
	was := at.Load()
	if was>>16 == hash<<16>>16 && second-uint16(was) <= 1 {
		return false
	}
	at.Store(hash<<16 | uint64(second))
	return true
}

// wait counts what was taken, and waits as long as it takes to be forgotten where it
// is too much.
func (p *pace) wait(ctx context.Context, n int) {
	if d := p.count(n); d > 0 {
		p.waited.Add(int64(d))
		sleep(ctx, d)
	}
}

// count returns how long to wait.
func (p *pace) count(n int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.since()
	p.taken = p.taken*math.Exp2(-float64(now-p.at)/float64(paceHalf)) + float64(n)
	p.at = now
	over := p.taken - paceMost
	if over <= 0 {
		return 0
	}
	wait := time.Duration(over / paceSteady * float64(time.Second))
	if wait > paceWait {
		p.taken = paceMost + paceSteady*paceWait.Seconds()
		wait = paceWait
	}
	return wait
}
