// Package recoverytest is what every recovery.Backend must pass, and one in
// memory for the tests of those who use backends.
package recoverytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

// A Site makes a fresh storage, and returns what starts a server on it. A
// backend that it returned earlier has been closed before.
type Site func(t *testing.T) (open func() recovery.Backend)

// scripts are lives of a server. begin starts it on what the last one left, and
// names who must be on record then. Behind an owner, ! is revoked, ? is
// incomplete, + is exclusive, # has a revoked handle.
var scripts = []struct{ name, script string }{
	{"first start", "begin()"},
	{"clients appear", "begin() commit put(a) put(b+) begin(a,b+)"},
	{"put replaces", "begin() commit put(a+) put(a) begin(a)"},
	{"remove", "begin() commit put(a) put(b) remove(a) remove(c) begin(b)"},
	{"no one comes back", "begin() commit put(a) begin(a) commit begin()"},
	{"one comes back", "begin() commit put(a) put(b) begin(a,b) put(b) commit begin(b)"},
	{"crash inside grace", "begin() commit put(a) put(b) begin(a,b) put(a) begin(a,b) put(b) begin(a,b)"},
	{"came back before a crash, not after", "begin() commit put(a) put(b) begin(a,b) put(a) begin(a,b) put(b) commit begin(b)"},
	{"new in an unfinished grace", "begin() put(n) begin(n) begin(n)"},
	{"removed inside grace", "begin() commit put(a) put(b) begin(a,b) remove(a) begin(b) commit begin()"},
	{"removed inside grace, back again", "begin() commit put(a) begin(a) remove(a) put(a) begin(a)"},
	{"removed inside grace, gone after", "begin() commit put(a) begin(a) put(a) remove(a) commit begin()"},
	{"revoked is on record", "begin() commit put(a) put(a!) begin(a!) begin(a!)"},
	{"revoked inside grace", "begin() commit put(a) begin(a) put(a!) begin(a!)"},
	{"acknowledged", "begin() commit put(a!) put(a) begin(a)"},
	{"handles", "begin() commit put(a#) begin(a#) put(a#) commit begin(a#)"},
	{"incomplete", "begin() commit put(a) begin(a) put(a) commit put(a?) begin(a?) commit begin()"},
	{"commit twice", "begin() commit commit put(a) commit begin(a)"},
	{"commit outside grace drops nothing", "begin() commit put(a) commit commit begin(a)"},
	{"renew", "begin() commit put(a) put(b!) renew(a,b!) begin(a,b!)"},
	{"renew, commit", "begin() commit put(a) put(b) renew(a,b) remove(a) put(c) commit begin(b,c)"},
	{"renew, crash, commit", "begin() commit put(a) put(b) renew(a,b) begin(a,b) put(b) commit begin(b)"},
}

// Run runs the suite.
func Run(t *testing.T, site Site) {
	RunKeeping(t, site, func(c recovery.Client) recovery.Client { return c })
}

// RunKeeping runs the suite on a backend that keeps of each client what kept
// returns: a format may have no place for what is for people, and may leave it
// open whether a client's state is exclusive, which then is assumed.
func RunKeeping(t *testing.T, site Site, kept func(recovery.Client) recovery.Client) {
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			l := &life{t: t, open: site(t), kept: kept}
			for _, call := range strings.Fields(s.script) {
				l.do(call)
			}
			l.close()
		})
	}
	t.Run("owners of any bytes", func(t *testing.T) { anyBytes(t, site(t), kept) })
	t.Run("what cannot be kept", func(t *testing.T) { invalid(t, site(t)) })
	t.Run("many at once", func(t *testing.T) { many(t, site(t)) })
}

type life struct {
	t    *testing.T
	open func() recovery.Backend
	kept func(recovery.Client) recovery.Client
	b    recovery.Backend
	last recovery.Start
}

func (l *life) close() {
	if l.b != nil {
		if err := l.b.Close(); err != nil {
			l.t.Error(err)
		}
	}
}

func (l *life) do(call string) {
	l.t.Helper()
	op, arg, _ := strings.Cut(strings.TrimSuffix(call, ")"), "(")
	ctx := context.Background()
	var clients []recovery.Client
	if arg != "" {
		for _, word := range strings.Split(arg, ",") {
			clients = append(clients, parse(word))
		}
	}
	var err error
	switch op {
	case "begin":
		l.begin(arg)
	case "put":
		err = l.b.Put(ctx, clients[0])
	case "remove":
		err = l.b.Remove(ctx, clients[0].Owner)
	case "commit":
		err = l.b.Commit(ctx)
	case "renew":
		var start recovery.Start
		start, err = l.b.Renew(ctx, clients)
		if err == nil && start.Recovering == 0 {
			l.t.Errorf("%s: no grace period: %+v", call, start)
		}
	}
	if err != nil {
		l.t.Fatalf("%s: %v", call, err)
	}
}

// begin starts a server and compares whom it finds on record.
func (l *life) begin(want string) {
	l.t.Helper()
	l.close()
	l.b = l.open()
	start, err := l.b.Begin(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	var wants []recovery.Client
	for _, word := range strings.FieldsFunc(want, func(r rune) bool { return r == ',' }) {
		wants = append(wants, l.kept(parse(word)))
	}
	if !slices.EqualFunc(start.Clients, wants, recovery.Client.Equal) {
		l.t.Fatalf("on record: %v, want %v: %+v, want %+v", format(start.Clients), format(wants), start.Clients, wants)
	}
	if start.Run != 0 && start.Run <= l.last.Run {
		l.t.Errorf("run %d after run %d", start.Run, l.last.Run)
	}
	if start.Recovering == 0 || start.Recovering >= start.Current || start.Current < l.last.Current {
		l.t.Errorf("epochs %+v after %+v", start.Epochs, l.last.Epochs)
	}
	l.last = start
}

const flags = "+!?#"

func parse(word string) recovery.Client {
	owner := strings.TrimRight(word, flags)
	c := recovery.Client{
		Owner: owner, Principal: "sys:" + owner, Addr: "192.0.2.1:1023",
		Exclusive:  strings.Contains(word, "+"),
		Revoked:    strings.Contains(word, "!"),
		Incomplete: strings.Contains(word, "?"),
	}
	if strings.Contains(word, "#") {
		c.Handles = []string{"handle\x00of " + owner, "\xff\n\"other\""}
	}
	return c
}

func format(clients []recovery.Client) (words []string) {
	for _, c := range clients {
		word := c.Owner
		for i, set := range []bool{c.Exclusive, c.Revoked, c.Incomplete, len(c.Handles) > 0} {
			if set {
				word += flags[i : i+1]
			}
		}
		words = append(words, word)
	}
	return words
}

func anyBytes(t *testing.T, open func() recovery.Backend, kept func(recovery.Client) recovery.Client) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	owners := []string{
		"\x00", "/", "..", "a/b", "a\nb", "é", "\xff\xfe", string(all),
		strings.Repeat("x", recovery.MaxOwner), strings.Repeat("x", recovery.MaxOwner-1), strings.Repeat("\xff", recovery.MaxOwner),
	}
	l := &life{t: t, open: open}
	l.do("begin()")
	l.do("commit")
	for _, owner := range owners {
		c := recovery.Client{Owner: owner, Principal: string(all), Addr: string(all), Handles: []string{string(all[:recovery.MaxHandle])}}
		if err := l.b.Put(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	l.close()
	b := open()
	defer b.Close()
	start, err := b.Begin(context.Background())
	if err != nil || len(start.Clients) != len(owners) {
		t.Fatalf("%d clients, %v; want %d", len(start.Clients), err, len(owners))
	}
	found := make(map[string]bool)
	for _, c := range start.Clients {
		found[c.Owner] = true
		want := kept(recovery.Client{Owner: c.Owner, Principal: string(all), Addr: string(all), Handles: []string{string(all[:recovery.MaxHandle])}})
		if !c.Equal(want) {
			t.Errorf("%s: %+v, want %+v", recovery.Quote(c.Owner), c, want)
		}
	}
	for _, owner := range owners {
		if !found[owner] {
			t.Errorf("%s is lost", recovery.Quote(owner))
		}
	}
}

func invalid(t *testing.T, open func() recovery.Backend) {
	l := &life{t: t, open: open}
	l.do("begin()")
	defer l.close()
	long := strings.Repeat("x", 4096)
	for name, c := range map[string]recovery.Client{
		"no owner":     {},
		"owner":        {Owner: long[:recovery.MaxOwner+1]},
		"principal":    {Owner: "a", Principal: long[:recovery.MaxText+1]},
		"address":      {Owner: "a", Addr: long[:recovery.MaxText+1]},
		"a handle":     {Owner: "a", Handles: []string{long[:recovery.MaxHandle+1]}},
		"empty handle": {Owner: "a", Handles: []string{""}},
		"many handles": {Owner: "a", Handles: strings.Split(long[:recovery.MaxHandles+1], "")},
	} {
		if err := l.b.Put(context.Background(), c); err == nil {
			t.Errorf("too long, and taken: %s", name)
		}
	}
	l.do("begin()")
}

// many puts a thousand clients at once, some of which give up.
func many(t *testing.T, open func() recovery.Backend) {
	const n = 1000
	l := &life{t: t, open: open}
	l.do("begin()")
	l.do("commit")
	type result struct {
		owner string
		err   error
	}
	results := make(chan result)
	began := time.Now()
	for i := range n {
		go func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%10 == 0 {
				cancel()
			}
			owner := fmt.Sprint("client ", i)
			results <- result{owner, l.b.Put(ctx, recovery.Client{Owner: owner})}
		}()
	}
	promised := make(map[string]bool)
	for range n {
		if r := <-results; r.err == nil {
			promised[r.owner] = true
		}
	}
	t.Logf("%d of %d puts in %v", len(promised), n, time.Since(began))
	if len(promised) < n*9/10 {
		t.Errorf("only %d of %d were recorded", len(promised), n)
	}
	l.close()
	b := open()
	defer b.Close()
	start, err := b.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range start.Clients {
		delete(promised, c.Owner)
	}
	if len(promised) != 0 {
		t.Errorf("lost: %v", promised)
	}
}
