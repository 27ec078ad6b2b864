package recoverytest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/tidegate/tidegate/recovery"
)

// crashes is how many in a row each history must bear.
const crashes = 3

// Storage is what servers leave behind when they crash.
type Storage[S any] interface {
	Copy() S
	String() string // equal for storages that behave the same from here on

	// Step has f called whenever a crash would leave something else than
	// before; nil ends it.
	Step(f func())

	// Crashes calls yield with all that a crash now may leave, to be copied
	// before use; latest: called by what Step calls, and of interest is only
	// what no earlier crash would have left.
	Crashes(latest bool, yield func(left S))
}

// Histories are lives of a server and its clients. Clients appear (put), come
// back (put after begin), are revoked (!), cut off by the end of a grace period
// (?), acknowledge (put without), expire or go (remove). A kill is a crash of
// the process alone, in a place where the enumeration goes on from it.
var Histories = map[string]string{
	"appear and go":        "begin commit put:a put:b+ remove:a put:c",
	"revoked":              "begin commit put:a put:b put:a! put:b# put:a remove:b",
	"all come back":        "begin commit put:a put:b kill begin put:a put:b commit put:c",
	"one does not":         "begin commit put:a put:b kill begin put:b commit put:b? put:c put:b",
	"expires in grace":     "begin commit put:a put:b kill begin put:a remove:a put:b! commit put:a",
	"two crashes in grace": "begin commit put:a put:b kill begin put:a kill begin put:b kill begin put:b commit put:c",
	"back before a crash":  "begin commit put:a put:b kill begin put:a kill begin commit put:c",
	"grace from outside":   "begin commit put:a put:b! renew put:c remove:a commit",
}

// recoveries is what happens after the first crash, and after the second, until
// the next.
var recoveries = [][]string{
	{"begin put:a commit put:b?", "begin put:b! remove:a commit remove:b"},
	{"begin put:b remove:a commit"},
}

// An Enumeration crashes a server at every storage operation, recovers, and
// compares what it finds with what was promised.
type Enumeration[S Storage[S]] struct {
	Checked int    // states after the last crash
	Failure string // the first: a trace of steps, and what was wrong

	open func(S) recovery.Backend
	kept func(recovery.Client) recovery.Client
	seen map[[sha256.Size]byte]bool
}

// NewEnumeration returns one of servers that open starts on a storage; kept is as
// for RunKeeping.
func NewEnumeration[S Storage[S]](open func(S) recovery.Backend, kept func(recovery.Client) recovery.Client) *Enumeration[S] {
	return &Enumeration[S]{open: open, kept: kept, seen: make(map[[sha256.Size]byte]bool)}
}

// Seen is how many states there were in all.
func (e *Enumeration[S]) Seen() int { return len(e.seen) }

// History plays a life on a storage on which the clients promised are on record,
// with three crashes in a row at every place.
func (e *Enumeration[S]) History(d S, words string, promised ...recovery.Client) {
	e.play(d, promising(promised), script(words, e.kept), crashes, "")
}

// Crash is History with one crash.
func (e *Enumeration[S]) Crash(d S, words string) {
	e.play(d, promising(nil), script(words, e.kept), 1, "")
}

func promising(clients []recovery.Client) []world {
	w := world{clients: make(map[string]promise)}
	for _, c := range clients {
		w.clients[c.Owner] = promise{Client: c}
	}
	return []world{w}
}

// play runs steps on a disk of which one of worlds holds, with a crash after
// every operation, and depth-1 more crashes after that.
func (e *Enumeration[S]) play(d S, worlds []world, steps []step, depth int, trace string) {
	b := e.open(d)
	for i, s := range steps {
		trace := trace + " | " + s.String()
		if s.op == "kill" {
			b = e.open(d)
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
				e.crash(d.Copy(), either, key, depth-1, trace+" | KILL")
			}
			d.Crashes(latest, func(left S) { e.crash(left, either, key, depth-1, trace+" | CRASH") })
		}
		crash(false)
		d.Step(func() { crash(true) })
		start, err := s.do(b, worlds[0])
		d.Step(nil)
		if err != nil {
			e.fail("%s: step %d: %v", trace, i, err)
		}
		if s.op == "begin" {
			if next = settle(worlds, start); len(next) == 0 {
				e.fail("%s: found %+v, promised %v", trace, start, worlds)
			}
		}
		if e.Failure != "" {
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
func (e *Enumeration[S]) crash(left S, worlds []world, key string, depth int, trace string) {
	sum := sha256.Sum256([]byte(key + left.String()))
	if e.Failure != "" || e.seen[sum] {
		return
	}
	e.seen[sum] = true
	left = left.Copy()
	if depth == 0 {
		e.Checked++
		start, err := e.open(left).Begin(context.Background())
		if err != nil {
			e.fail("%s: %v", trace, err)
		} else if len(settle(worlds, start)) == 0 {
			e.fail("%s: found %+v, promised %v", trace, start, worlds)
		}
		return
	}
	for _, r := range recoveries[len(recoveries)-depth] {
		e.play(left.Copy(), worlds, script(r, e.kept), depth, trace)
	}
}

func (e *Enumeration[S]) fail(format string, args ...any) {
	if e.Failure == "" {
		e.Failure = fmt.Sprintf(format, args...)
	}
}
