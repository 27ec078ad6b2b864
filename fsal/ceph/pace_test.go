//go:build ceph

package ceph

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// mdsRecall is what an MDS counts of what it asks for, as since Ceph 16.
type mdsRecall struct {
	count float64
	at    time.Time
}

const mdsComplains = 256 << 10

func (m *mdsRecall) ask(n int) {
	if !m.at.IsZero() {
		m.count *= math.Exp2(-time.Since(m.at).Minutes())
	}
	m.count, m.at = m.count+float64(n), time.Now()
}

// TestPace takes capabilities as fast as it may for an hour of which an MDS asks all
// back: it is not slowed down before the MDS would soon complain, and then as little
// as that takes.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pace{epoch: time.Now()}
		p.press()
		var mds mdsRecall
		most, ino, began := 0.0, uint64(0), time.Now()
		for free := true; time.Since(began) < time.Hour; {
			p.press()
			for range 100 {
				if ino++; !p.takes(vino{ino: ino}) {
					t.Fatalf("inode %d costs nothing", ino)
				}
			}
			begin := time.Now()
			p.wait(t.Context(), 100)
			if waited := time.Since(begin); waited > 0 && free {
				free = false
				if ino < mdsComplains/2 {
					t.Errorf("slowed down after %d", ino)
				}
			}
			mds.ask(100)
			most = max(most, mds.count)
			time.Sleep(20 * time.Millisecond) // 5,000 a second, if not slowed down
		}
		if most >= mdsComplains {
			t.Errorf("the MDS complains of %.0f", most)
		}
		if perSecond := float64(ino) / time.Since(began).Seconds(); perSecond < 2500 {
			t.Errorf("%.0f a second", perSecond)
		}
	})
}

// TestPaceOfFew has what costs nothing: what is found again at once, and all where no
// MDS asks.
func TestPaceOfFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pace{epoch: time.Now()}
		id := vino{ino: 7, snap: 3}
		wants := func(want bool, why string) {
			t.Helper()
			if p.takes(id) != want {
				t.Errorf("%s: %v", why, !want)
			}
		}
		wants(false, "no MDS asks")
		p.press()
		wants(true, "found")
		wants(false, "found again")
		time.Sleep(3 * time.Second)
		wants(true, "found again, when it may have been given back")
		time.Sleep(2 * pressure)
		wants(false, "no MDS asks any more")
		p.press()
		wants(true, "an MDS asks again")
	})
}

// TestPaceEnds has so many wait that all of them cannot: each does for a second at
// most, and none for a file system that is closed.
func TestPaceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pace{epoch: time.Now()}
		p.wait(t.Context(), 10*paceMost)
		begin := time.Now()
		p.wait(t.Context(), 10*paceMost)
		if d := time.Since(begin); d != paceWait {
			t.Errorf("waited for %v", d)
		}
		closed, end := context.WithCancel(t.Context())
		end()
		begin = time.Now()
		p.wait(closed, 1)
		if d := time.Since(begin); d != 0 {
			t.Errorf("waited for %v after the end", d)
		}
	})
}
