//go:build ceph

package ceph

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An MDS counts the capabilities that it asks a client for, forgets half of them after
// some time, and complains of who had too many asked for (MDS_CLIENT_RECALL): as Ceph 16
// is set, of a client that takes 3,028 a second beyond what it may keep, however fast it
// gives them back.
const (
	complainsOf = 256 << 10   // mds_recall_warning_threshold, where the monitors do not say
	forgetsHalf = time.Minute // mds_recall_warning_decay_rate

	askedTwice = 8 << 10         // capabilities that are asked for again before the MDS has them
	paceWait   = time.Second     // at most, for one call
	pressure   = 5 * time.Second // from one request to another, of which there is one each second
	learnEvery = time.Minute     // under pressure
)

// pace slows down what takes new capabilities, where an MDS has asked for many back.
type pace struct {
	asked  atomic.Int64              // when an MDS asked last, as since; 0 is never
	recent [recentMost]atomic.Uint64 // inodes, by their hash: its lower 48 bits, and the second in 16
	epoch  time.Time
	mu     sync.Mutex
	taken  float64       // Guarded by mu. as the MDS counts, at the time at
	at     int64         // Guarded by mu. as since
	most   float64       // Guarded by mu. of taken
	half   float64       // Guarded by mu. nanoseconds until half are forgotten
	asks   atomic.Uint64 // for capabilities, of all MDSs
	waited atomic.Int64  // nanoseconds, of all calls together
}

func (p *pace) init(epoch time.Time) {
	p.epoch = epoch
	p.bound(complainsOf, forgetsHalf)
}

// bound sets what MDSs complain of.
func (p *pace) bound(threshold float64, half time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = threshold - min(max(threshold/8, askedTwice), threshold/2)
	p.half = float64(half)
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
	p.taken = p.taken*math.Exp2(-float64(now-p.at)/p.half) + float64(n)
	p.at = now
	each := p.half / (p.most * math.Ln2) // nanoseconds until one of most is forgotten
	p.taken = min(p.taken, p.most+float64(paceWait)/each)
	return max(0, time.Duration((p.taken-p.most)*each))
}

// learn asks the monitors what MDSs complain of, which their administrator may have
// changed. Where they do not say it stays.
func (fs *FS) learn() {
	threshold, err := fs.mdsSetting("mds_recall_warning_threshold")
	half, err2 := fs.mdsSetting("mds_recall_warning_decay_rate")
	if err == nil && err2 == nil && threshold >= 1 && half >= 1 {
		fs.pace.bound(threshold, time.Duration(half*float64(time.Second)))
	}
}

// mdsSetting is a number that all MDSs are configured with.
func (fs *FS) mdsSetting(key string) (float64, error) {
	out, _, err := fs.conn.MonCommand(fmt.Appendf(nil, `{"prefix":"config get","who":"mds","key":%q}`, key))
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}
