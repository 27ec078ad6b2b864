package idmap

import (
	"errors"
	"fmt"
	"os/user"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a host whose answers a test changes.
type fake struct {
	mu    sync.Mutex
	ids   map[string]uint32 // Guarded by mu. Of users and groups.
	err   error             // Guarded by mu. What is said instead.
	asked int               // Guarded by mu.
}

func (f *fake) id(name string) (uint32, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.err != nil {
		return 0, f.err
	}
	id, ok := f.ids[name]
	if !ok {
		return 0, errUnknown
	}
	return id, nil
}

func (f *fake) name(id uint32) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	for name, known := range f.ids {
		if known == id {
			return name, f.err
		}
	}
	return "", errUnknown
}

func (f *fake) groups(uid uint32) ([]uint32, error) {
	if _, err := f.name(uid); err != nil {
		return nil, err
	}
	return []uint32{uid, uid + 1}, nil
}

func (f *fake) host() host { return host{f.id, f.id, f.name, f.name, f.groups} }

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// Names are told and taken with the domain, and without one taken with any.
func TestDomains(t *testing.T) {
	for _, test := range []struct {
		domain, name, from string
		id                 uint32
		ok                 bool
		told               string // "" for a number
	}{
		{"", "alice", "example.org", 7, true, ""},
		{"", "alice", "", 7, true, ""},
		{"", "bob", "example.org", 0, false, ""},
		{"example.org", "alice", "example.org", 7, true, "alice@example.org"},
		{"example.org", "alice", "Example.ORG", 7, true, "alice@example.org"},
		{"example.org", "alice", "example.com", 0, false, "alice@example.org"},
		{"example.org", "alice", "", 0, false, "alice@example.org"},
	} {
		m := newMap(Config{Domain: test.domain}, (&fake{ids: map[string]uint32{"alice": 7}}).host())
		for _, find := range []func(string, string) (uint32, bool){m.UserID, m.GroupID} {
			if id, ok := find(test.name, test.from); id != test.id || ok != test.ok {
				t.Errorf("%q: %s@%s is %d, %v, want %d, %v", test.domain, test.name, test.from, id, ok, test.id, test.ok)
			}
		}
		for _, tell := range []func(uint32) (string, bool){m.UserName, m.GroupName} {
			if name, ok := tell(7); name != test.told && ok || ok != (test.told != "") {
				t.Errorf("%q: 7 is %q, %v, want %q", test.domain, name, ok, test.told)
			}
			if name, ok := tell(8); ok {
				t.Errorf("%q: 8 is %q", test.domain, name)
			}
		}
	}
}

// The host is asked again when an answer is old, sooner when there was none, and
// while it cannot tell, what it said last holds.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{ids: map[string]uint32{"alice": 7}}
		m := newMap(Config{Life: time.Hour}, f.host())
		check := func(name string, id uint32, ok bool, asked int) {
			t.Helper()
			if got, found := m.UserID(name, ""); got != id || found != ok || f.count() != asked {
				t.Errorf("%s is %d, %v after %d questions, want %d, %v after %d", name, got, found, f.count(), id, ok, asked)
			}
		}
		check("alice", 7, true, 1)
		check("bob", 0, false, 2)
		f.ids = map[string]uint32{"alice": 8, "bob": 9}
		time.Sleep(shortest - 1)
		check("alice", 7, true, 2)
		check("bob", 0, false, 2)
		time.Sleep(1)
		check("alice", 7, true, 2)
		check("bob", 9, true, 3)

		time.Sleep(time.Hour)
		f.err = errors.New("no answer")
		check("alice", 7, true, 4)
		check("alice", 7, true, 4)
		check("carol", 0, false, 5)
		f.err = nil
		time.Sleep(shortest)
		check("alice", 8, true, 6)
		f.ids = nil
		time.Sleep(time.Hour)
		check("alice", 0, false, 7)
	})
}

// However many ask for the same, the host is asked once.
func TestAskedOnce(t *testing.T) {
	f := &fake{ids: map[string]uint32{"alice": 7}}
	h, began, gate := f.host(), make(chan bool, 1), make(chan bool)
	h.groups = func(uid uint32) ([]uint32, error) {
		began <- true
		<-gate
		return f.groups(uid)
	}
	m := newMap(Config{}, h)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if got := m.Groups(7); !slices.Equal(got, []uint32{7, 8}) {
				t.Errorf("groups %v", got)
			}
		})
	}
	<-began
	close(gate)
	all.Wait()
	if n := f.count(); n != 1 {
		t.Errorf("the host was asked %d times", n)
	}
}

// What is remembered stays bounded, and what is remembered costs nothing.
func TestBounded(t *testing.T) {
	f := &fake{ids: map[string]uint32{"alice": 7}}
	m := newMap(Config{Domain: "example.org"}, f.host())
	for i := range 10 * shards * shardMax {
		m.UserID(fmt.Sprint(i), "example.org")
	}
	for i := range m.users.part {
		if n := len(m.users.part[i].known); n == 0 || n > shardMax {
			t.Errorf("shard %d: %d names", i, n)
		}
	}
	m.UserName(7)
	m.Groups(7)
	if n := testing.AllocsPerRun(100, func() {
		m.UserName(7)
		m.Groups(7)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The host's own users and groups.
func TestHost(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	id, err := parse(me.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := parse(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	m := New(Config{Domain: "example.org"})
	if got, ok := m.UserID(me.Username, "example.org"); got != id || !ok {
		t.Errorf("%s is %d, %v", me.Username, got, ok)
	}
	if got, ok := m.UserName(id); got != me.Username+"@example.org" || !ok {
		t.Errorf("%d is %q, %v", id, got, ok)
	}
	if got := m.Groups(id); !slices.Contains(got, gid) {
		t.Errorf("groups %v lack %d", got, gid)
	}
	const none = 1<<32 - 17
	if got := m.Groups(none); got != nil {
		t.Errorf("groups %v of nobody", got)
	}
	for what, ok := range map[string]bool{
		"user": second(m.UserID("no such\x01", "example.org")), "group": second(m.GroupID("no such\x01", "example.org")),
		"user id": second(m.UserName(none)), "group id": second(m.GroupName(none)),
	} {
		if ok {
			t.Errorf("a %s that there is not is known", what)
		}
	}
}

func second[T any](_ T, ok bool) bool { return ok }
