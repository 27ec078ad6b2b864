package fs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

// crashes is how many in a row each history must bear.
const crashes = 3

// histories are lives of a server and its clients. Clients appear (put), come
// back (put after begin), are revoked (!), cut off by the end of a grace period
// (?), acknowledge (put without), expire or go (remove). A kill is a crash of
// the process alone, in a place where the enumeration goes on from it.
var histories = map[string]string{
	"appear and go":        "begin commit put:a put:b+ remove:a put:c",
	"revoked":              "begin commit put:a put:b put:a! put:b# put:a remove:b",
	"all come back":        "begin commit put:a put:b kill begin put:a put:b commit put:c",
	"one does not":         "begin commit put:a put:b kill begin put:b commit put:b? put:c put:b",
	"expires in grace":     "begin commit put:a put:b kill begin put:a remove:a put:b! commit put:a",
	"two crashes in grace": "begin commit put:a put:b kill begin put:a kill begin put:b kill begin put:b commit put:c",
	"grace from outside":   "begin commit put:a put:b! renew put:c remove:a commit",
}

// recoveries is what happens after the first crash, and after the second, until
// the next.
var recoveries = [][]string{
	{"begin put:a commit put:b?", "begin put:b! remove:a commit remove:b"},
	{"begin put:b remove:a commit"},
}

// An enumeration crashes a server at every storage operation, recovers, and
// compares what it finds with what was promised.
type enumeration struct {
	backend func(*crashDisk) recovery.Backend
	rng     *rand.Rand
	seen    map[[sha256.Size]byte]bool
	checked int
	failure string // the first: a trace of steps, and what was wrong
}

func newEnumeration(backend func(*crashDisk) recovery.Backend) *enumeration {
	return &enumeration{backend: backend, rng: rand.New(rand.NewPCG(1, 2)), seen: make(map[[sha256.Size]byte]bool)}
}

func plain(d *crashDisk) recovery.Backend {
	b := New(Config{Lease: time.Minute})
	b.store = d
	b.slots = make(chan struct{}, 1) // the fewest interleavings that Renew can have
	return b
}

// play runs steps on a disk of which one of worlds holds, with a crash after
// every operation, and depth-1 more crashes after that.
func (e *enumeration) play(d *crashDisk, worlds []world, steps []step, depth int, trace string) {
	b := e.backend(d)
	for i, s := range steps {
		trace := trace + " | " + s.String()
		if s.op == "kill" {
			b = e.backend(d)
			continue
		}
		next := make([]world, len(worlds))
		for i, w := range worlds {
			next[i] = w.after(s)
		}
		either := append(slices.Clone(worlds), next...)
		key := fmt.Sprint(depth, either)
		crash := func(latest bool) {
			if depth == crashes {
				e.crash(d.copy(), either, key, depth-1, trace+" | KILL")
			}
			d.crashes(latest, e.rng, func(left *crashDisk) { e.crash(left, either, key, depth-1, trace+" | CRASH") })
		}
		crash(false)
		d.step = func() { crash(true) }
		start, err := s.do(b, worlds[0])
		d.step = nil
		if err != nil {
			e.fail("%s: step %d: %v", trace, i, err)
		}
		if s.op == "begin" {
			if next = settle(worlds, start); len(next) == 0 {
				e.fail("%s: found %+v, promised %v", trace, start, worlds)
			}
		}
		if e.failure != "" {
			return
		}
		worlds = next
	}
}

// settle returns the worlds that start agrees with, in the run that it begins.
func settle(worlds []world, start recovery.Start) (agree []world) {
	for _, w := range worlds {
		if w.holds(start) {
			w = w.after(step{op: "begin"})
			w.run = start.Run
			agree = append(agree, w)
		}
	}
	return agree
}

// crash goes on from what a crash left, unless it has been there: key is equal
// for equal depths and worlds.
func (e *enumeration) crash(left *crashDisk, worlds []world, key string, depth int, trace string) {
	sum := sha256.Sum256([]byte(key + left.String()))
	if e.failure != "" || e.seen[sum] {
		return
	}
	e.seen[sum] = true
	left = left.copy()
	if depth == 0 {
		e.checked++
		start, err := e.backend(left).Begin(context.Background())
		if err != nil {
			e.fail("%s: %v", trace, err)
		} else if len(settle(worlds, start)) == 0 {
			e.fail("%s: found %+v, promised %v", trace, start, worlds)
		}
		return
	}
	for _, r := range recoveries[len(recoveries)-depth] {
		e.play(left.copy(), worlds, script(r), depth, trace)
	}
}

func (e *enumeration) fail(format string, args ...any) {
	if e.failure == "" {
		e.failure = fmt.Sprintf(format, args...)
	}
}

func (e *enumeration) history(words string) {
	e.play(newCrashDisk(), []world{{clients: map[string]promise{}}}, script(words), crashes, "")
}

func TestCrashEnumeration(t *testing.T) {
	e := newEnumeration(plain)
	for name, words := range histories {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			e.history(words)
			t.Logf("%d states after three crashes, %d in all", e.checked, len(e.seen))
			if e.failure != "" {
				t.Fatal(e.failure)
			}
		})
	}
}
