package storm

import (
	"testing"
	"time"
)

// The model sees what it is there to see, and nothing else.
func TestModel(t *testing.T) {
	const lease = 100
	a, b := newTenure(lease, 0), newTenure(lease, 0)
	for _, x := range []*tenure{a, b} {
		x.renewed(50, 60)
	}
	lapsed := newTenure(lease, 0)
	lapsed.renewed(150, 160)
	open := func(by *tenure, owner string, access, deny uint32, from, until time.Duration) *holding {
		return &holding{kind: anOpen, by: by, owner: owner, access: access, deny: deny, asked: from - 5, from: from, until: until, gone: until + 5}
	}
	lock := func(owner string, access uint32, cell int, from, until time.Duration) *holding {
		return &holding{kind: aLock, by: a, owner: owner, access: access, cell: cell, asked: from - 5, from: from, until: until, gone: until + 5}
	}
	deleg := func(by *tenure, access uint32, from, until time.Duration) *holding {
		return &holding{kind: aDelegation, by: by, access: access, asked: from - 5, from: from, until: until, gone: until + 5}
	}
	denied := func(access, deny uint32, sent time.Duration) *touch {
		return &touch{by: b, owner: "b", access: access, deny: deny, sent: sent, answered: sent + 1, denied: true}
	}
	change := func(by *tenure, sent time.Duration) *touch {
		return &touch{by: by, what: "SETATTR", sent: sent, answered: sent + 1, changed: true}
	}
	type holdings []*holding
	type touches []*touch
	for _, tt := range []struct {
		name     string
		holdings holdings
		touches  touches
		wrong    int
	}{
		{"access against deny", holdings{open(a, "a", write, 0, 10, 30), open(b, "b", read, write, 20, 40)}, nil, 1},
		{"one after the other", holdings{open(a, "a", write, 0, 10, 20), open(b, "b", read, write, 20, 40)}, nil, 0},
		{"denied only what is not used", holdings{open(a, "a", read, 0, 10, 30), open(b, "b", read, write, 20, 40)}, nil, 0},
		{"one owner", holdings{open(a, "a", write, write, 10, 30), open(a, "a", write, 0, 20, 40)}, nil, 0},
		{"one client, two owners", holdings{open(a, "a", write, 0, 10, 30), open(a, "b", read, write, 20, 40)}, nil, 1},
		{"asked for only", holdings{open(a, "a", write, 0, 10, 30), open(b, "b", read, write, never, never)}, nil, 0},
		{"after the lease", holdings{open(a, "a", write, 0, 10, never), open(lapsed, "b", read, write, 165, 200)}, nil, 0},
		{"before the lease ran out", holdings{open(a, "a", write, 0, 10, never), open(lapsed, "b", read, write, 90, 99)}, nil, 1},
		{"over a lapse", holdings{open(lapsed, "b", read, write, 90, 200), open(a, "a", write, 0, 120, 140)}, nil, 0},

		{"write locks", holdings{lock("a", write, 3, 10, 30), lock("b", write, 3, 20, 40)}, nil, 1},
		{"read locks", holdings{lock("a", read, 3, 10, 30), lock("b", read, 3, 20, 40)}, nil, 0},
		{"read and write locks", holdings{lock("a", read, 3, 10, 30), lock("b", write, 3, 20, 40)}, nil, 1},
		{"other cells", holdings{lock("a", write, 3, 10, 30), lock("b", write, 4, 20, 40)}, nil, 0},
		{"one lock owner", holdings{lock("a", write, 3, 10, 30), lock("a", write, 3, 20, 40)}, nil, 0},
		{"locks and opens", holdings{lock("a", write, 3, 10, 30), open(b, "b", read, write, 20, 40)}, nil, 0},

		{"write delegation and open", holdings{deleg(a, write, 10, 30), open(b, "b", read, 0, 20, 40)}, nil, 1},
		{"read delegation and reader", holdings{deleg(a, read, 10, 30), open(b, "b", read, 0, 20, 40)}, nil, 0},
		{"read delegation and writer", holdings{deleg(a, read, 10, 30), open(b, "b", write, 0, 20, 40)}, nil, 1},
		{"read delegation and denier", holdings{deleg(a, read, 10, 30), open(b, "b", read, read, 20, 40)}, nil, 1},
		{"own open", holdings{deleg(a, write, 10, 30), open(a, "a", write, write, 20, 40)}, nil, 0},
		{"two read delegations", holdings{deleg(a, read, 10, 30), deleg(b, read, 20, 40)}, nil, 0},
		{"read and write delegation", holdings{deleg(a, read, 10, 30), deleg(b, write, 20, 40)}, nil, 1},
		{"change by another", holdings{deleg(a, read, 10, 30)}, touches{change(b, 20)}, 1},
		{"change by its holder", holdings{deleg(a, read, 10, 30)}, touches{change(a, 20)}, 0},
		{"change when it was returned", holdings{deleg(a, read, 10, 30)}, touches{change(b, 30)}, 0},
		{"change in the end", holdings{deleg(lapsed, read, 162, 300)}, touches{change(b, 245)}, 1},
		{"change a lease after the recall", holdings{deleg(lapsed, read, 162, 300)}, touches{{by: b, sent: 140, answered: 158}, change(b, 245)}, 0},

		{"denied for a cause", holdings{open(a, "a", write, read, 10, 30)}, touches{denied(read, 0, 20)}, 0},
		{"denied by what may be", holdings{{kind: anOpen, by: a, owner: "a", access: read, deny: read, asked: 10, from: never, until: never, gone: never}},
			touches{denied(read, 0, 20)}, 0},
		{"denied for no cause", holdings{open(a, "a", write, read, 10, 30)}, touches{denied(write, 0, 20)}, 1},
		{"denied too late", holdings{open(a, "a", write, read, 10, 30)}, touches{denied(read, 0, 50)}, 1},
	} {
		f := &file{name: tt.name, holdings: tt.holdings, touches: tt.touches}
		if wrong := f.check(); len(wrong) != tt.wrong {
			t.Errorf("%s: %q, want %d", tt.name, wrong, tt.wrong)
		}
	}
}
