//go:build ceph

package ceph

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// recaller is an MDS, of which a client takes more and more: it asks for all.
type recaller struct {
	half  time.Duration
	count float64 // of what it asked for, at the time at
	at    time.Time
}

func (m *recaller) ask(n int) {
	if !m.at.IsZero() {
		m.count *= math.Exp2(-float64(time.Since(m.at)) / float64(m.half))
	}
	m.count, m.at = m.count+float64(n), time.Now()
}

func newPace() *pace {
	p := new(pace)
	p.init(time.Now())
	return p
}

// TestPace takes capabilities as fast as it may for half an hour: it is not slowed down
// before an MDS would soon complain, and then as little as that takes.
func TestPace(t *testing.T) {
	for _, x := range []struct {
		name      string
		set       func(*pace)
		complains float64
		half      time.Duration
		perSecond float64 // at least
	}{
		{"Ceph 16", func(*pace) {}, 262144, time.Minute, 2600},
		{"Ceph 14", func(p *pace) { p.bound(32768, time.Minute) }, 32768, time.Minute, 280},
		{"told to forget soon", func(p *pace) { p.bound(40000, 10*time.Second) }, 40000, 10 * time.Second, 2200},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, mds := newPace(), recaller{half: x.half}
				x.set(p)
				most, ino, began, free := 0.0, uint64(0), time.Now(), uint64(0)
				for time.Since(began) < 30*time.Minute {
					p.press()
					for range 100 {
						if ino++; !p.takes(vino{ino: ino}) {
							t.Fatalf("inode %d costs nothing", ino)
						}
					}
					begin := time.Now()
					if p.wait(t.Context(), 100); free == 0 && time.Since(begin) > 0 {
						free = ino
					}
					mds.ask(100)
					most = max(most, mds.count)
					time.Sleep(20 * time.Millisecond) // 5,000 a second, if not slowed down
				}
				if float64(free) < x.complains/2 {
					t.Errorf("slowed down after %d", free)
				}
				if most >= x.complains {
					t.Errorf("the MDS complains of %.0f", most)
				}
				if got := float64(ino) / time.Since(began).Seconds(); got < x.perSecond {
					t.Errorf("%.0f a second, want %.0f at least", got, x.perSecond)
				}
			})
		})
	}
}

// TestPaceOfFew has what costs nothing: what is found again at once, and all where no
// MDS asks.
func TestPaceOfFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace()
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
		p := newPace()
		p.wait(t.Context(), 10*complainsOf)
		begin := time.Now()
		p.wait(t.Context(), 10*complainsOf)
		if d := time.Since(begin).Round(time.Millisecond); d != paceWait {
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
