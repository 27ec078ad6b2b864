package state

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// promise is one OPEN in effect.
type promise struct{ access, deny Share }

// sum is what promises add up to.
func sum(all []promise) (p promise) {
	for _, x := range all {
		p.access |= x.access
		p.deny |= x.deny
	}
	return p
}

// sums reports whether some of the promises add up to want, trying all subsets.
func sums(all []promise, want promise) bool {
	for set := 1; set < 1<<len(all); set++ {
		var some []promise
		for i, p := range all {
			if set&(1<<i) != 0 {
				some = append(some, p)
			}
		}
		if sum(some) == want {
			return true
		}
	}
	return false
}

// modelOpen is what one owner has of one file.
type modelOpen struct {
	client, owner int
	file          byte
	promises      []promise // without repeats
	id            Stateid   // the latest
}

// shareModel is a list of opens, and the store that must agree with it.
type shareModel struct {
	*env
	clients []*Client
	opens   []*modelOpen
	past    []*modelOpen // closed
}

// denied reports whether p conflicts with any open of the file.
func (m *shareModel) denied(file byte, p promise) bool {
	return slices.ContainsFunc(m.opens, func(o *modelOpen) bool {
		has := sum(o.promises)
		return o.file == file && (has.access&p.deny != 0 || has.deny&p.access != 0)
	})
}

func (m *shareModel) find(client, owner int, file byte) *modelOpen {
	for _, o := range m.opens {
		if o.client == client && o.owner == owner && o.file == file {
			return o
		}
	}
	return nil
}

func drawPromise(t *rapid.T) promise {
	return promise{Share(rapid.IntRange(1, 3).Draw(t, "access")), Share(rapid.IntRange(0, 3).Draw(t, "deny"))}
}

func (m *shareModel) open(t *rapid.T) {
	client, owner := rapid.IntRange(0, len(m.clients)-1).Draw(t, "client"), rapid.IntRange(0, 1).Draw(t, "owner")
	file, p := byte(rapid.IntRange(0, 1).Draw(t, "file")), drawPromise(t)
	id, err := m.tryOpen(m.clients[client], fmt.Sprint("o", owner), file, p.access, p.deny)
	if m.denied(file, p) {
		if err != ShareDenied {
			t.Fatalf("a conflicting OPEN: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("OPEN: %v", err)
	}
	o := m.find(client, owner, file)
	if o == nil {
		o = &modelOpen{client: client, owner: owner, file: file, id: Stateid{Other: id.Other}}
		m.opens = append(m.opens, o)
	}
	if !slices.Contains(o.promises, p) {
		o.promises = append(o.promises, p)
	}
	m.bump(t, o, id)
}

// bump checks that id is o's next stateid.
func (m *shareModel) bump(t *rapid.T, o *modelOpen, id Stateid) {
	if o.id.Seqid++; id != o.id {
		t.Fatalf("the next stateid is %+v, want %+v", id, o.id)
	}
}

func (m *shareModel) any(t *rapid.T) *modelOpen {
	if len(m.opens) == 0 {
		t.Skip("nothing is open")
	}
	return m.opens[rapid.IntRange(0, len(m.opens)-1).Draw(t, "open")]
}

func (m *shareModel) downgrade(t *rapid.T) {
	o, to := m.any(t), drawPromise(t)
	k := key(o.file)
	id, err := m.clients[o.client].Downgrade(o.id, &k, to.access, to.deny)
	if !sums(o.promises, to) {
		if err != Inval {
			t.Fatalf("OPEN_DOWNGRADE of %v to %v: %v", o.promises, to, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("OPEN_DOWNGRADE of %v to %v: %v", o.promises, to, err)
	}
	o.promises = slices.DeleteFunc(o.promises, func(p promise) bool {
		return p.access&^to.access != 0 || p.deny&^to.deny != 0
	})
	m.bump(t, o, id)
}

func (m *shareModel) close(t *rapid.T) {
	o := m.any(t)
	m.env.close(m.clients[o.client], o.id, o.file)
	m.opens = slices.DeleteFunc(m.opens, func(x *modelOpen) bool { return x == o })
	m.past = append(m.past, o)
}

// restart ends one client with all that it has open, and begins it anew.
func (m *shareModel) restart(t *rapid.T) {
	i := rapid.IntRange(0, len(m.clients)-1).Draw(t, "client")
	x := incarnation(fmt.Sprint(i), m.clients[i].Verifier[0]+1)
	m.clients[i] = m.session(x).Client
	m.opens = slices.DeleteFunc(m.opens, func(o *modelOpen) bool { return o.client == i })
	m.past = slices.DeleteFunc(m.past, func(o *modelOpen) bool { return o.client == i })
}

// check compares what can be seen of the store with the model.
func (m *shareModel) check(t *rapid.T) {
	for _, o := range m.opens {
		has := sum(o.promises)
		for _, want := range []Share{ShareRead, ShareWrite, both} {
			var wantErr error
			if has.access&want != want {
				wantErr = OpenMode
			}
			if err := m.use(m.clients[o.client], o.id, o.file, want); err != wantErr {
				t.Fatalf("%+v used for %d: %v", o, want, err)
			}
		}
	}
	for _, o := range m.past {
		if err := m.use(m.clients[o.client], o.id, o.file, ShareRead); err != BadStateid {
			t.Fatalf("%+v, closed, is used: %v", o, err)
		}
	}
	for file := range byte(2) {
		for _, want := range []Share{ShareRead, ShareWrite, both} {
			if err := m.Denied(key(file), want); (err != nil) != m.denied(file, promise{access: want}) {
				t.Fatalf("access %d to file %d without an open: %v", want, file, err)
			}
		}
	}
	if n := m.Stats().Opens; n != len(m.opens) {
		t.Fatalf("%d opens, want %d", n, len(m.opens))
	}
	m.checkDisk(int64(len(m.opens)))
}

// Share reservations agree with a list that is searched from end to end.
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &shareModel{env: newEnv(t)}
		for i := range 3 {
			m.clients = append(m.clients, m.client(fmt.Sprint(i)))
		}
		t.Repeat(map[string]func(*rapid.T){
			"open":      m.open,
			"open more": m.open,
			"downgrade": m.downgrade,
			"close":     m.close,
			"restart":   m.restart,
			"":          m.check,
		})
		for i := range m.clients {
			m.session(incarnation(fmt.Sprint(i), m.clients[i].Verifier[0]+1))
		}
		m.checkEmpty()
	})
}
