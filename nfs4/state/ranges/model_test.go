package ranges

import (
	"cmp"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// cells divide all of the offsets: single bytes at both ends and around 2^63,
// and what lies between as one cell each.
var cells = func() (all []Range) {
	const half = 1 << 63
	for _, island := range []Range{{0, 23}, {half - 4, half + 3}, {math.MaxUint64 - 7, math.MaxUint64}} {
		if n := len(all); n > 0 {
			all = append(all, Range{all[n-1].End + 1, island.Start - 1})
		}
		for b := island.Start; ; b++ {
			all = append(all, Range{b, b})
			if b == island.End {
				break
			}
		}
	}
	return all
}()

const owners = 4

// model says of every cell, for every owner, how it is locked.
type model [][owners]mode

type mode uint8

const (
	none mode = iota
	read
	write
)

func modeOf(l Lock[int]) mode {
	if l.Write {
		return write
	}
	return read
}

// span returns the cells of r, whose ends are cells' ends.
func (m model) span(r Range) (first, last int) {
	first, _ = slices.BinarySearchFunc(cells, r.Start, func(c Range, b uint64) int { return cmp.Compare(c.Start, b) })
	last, _ = slices.BinarySearchFunc(cells, r.End, func(c Range, b uint64) int { return cmp.Compare(c.End, b) })
	return first, last
}

// denied returns the owners that stand in the way of l in the first cell where
// anybody does.
func (m model) denied(l Lock[int]) (who []int) {
	for first, last := m.span(l.Range); first <= last; first++ {
		for o, has := range m[first] {
			if o != l.Owner && has != none && (l.Write || has == write) {
				who = append(who, o)
			}
		}
		if who != nil {
			return who
		}
	}
	return nil
}

func (m model) set(owner int, r Range, to mode) {
	for first, last := m.span(r); first <= last; first++ {
		m[first][owner] = to
	}
}

// locks returns the longest runs of cells, which is what a Set must hold.
func (m model) locks() (all []Lock[int]) {
	for o := range owners {
		for i := 0; i < len(m); {
			j := i + 1
			for j < len(m) && m[j][o] == m[i][o] {
				j++
			}
			if has := m[i][o]; has != none {
				all = append(all, Lock[int]{Range{cells[i].Start, cells[j-1].End}, o, has == write})
			}
			i = j
		}
	}
	return all
}

func ordered(all []Lock[int]) []Lock[int] {
	slices.SortFunc(all, func(a, b Lock[int]) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Start, b.Start))
	})
	return all
}

func drawRange(t *rapid.T) Range {
	i := rapid.IntRange(0, len(cells)-1).Draw(t, "first cell")
	j := rapid.IntRange(i, len(cells)-1).Draw(t, "last cell")
	return Range{cells[i].Start, cells[j].End}
}

func drawLock(t *rapid.T) Lock[int] {
	return Lock[int]{
		Range: drawRange(t),
		Owner: rapid.IntRange(0, owners-1).Draw(t, "owner"),
		Write: rapid.Bool().Draw(t, "write"),
	}
}

// checkBlocker fails unless x is a lock that stands in l's way, and the first.
func checkBlocker(t *rapid.T, m model, l, x Lock[int], blocked bool) {
	who := m.denied(l)
	if blocked != (who != nil) {
		t.Fatalf("%+v: blocked %v, owners in the way %v", l, blocked, who)
	}
	if blocked && !(slices.Contains(who, x.Owner) && slices.Contains(m.locks(), x)) {
		t.Fatalf("%+v: blocked by %+v; owners in the way %v", l, x, who)
	}
}

// agreesWithModel runs random operations on a Set and on the model.
func agreesWithModel(t *rapid.T) {
	var s Set[int]
	grown := 0
	m := make(model, len(cells))
	t.Repeat(map[string]func(*rapid.T){
		"conflict": func(t *rapid.T) {
			l := drawLock(t)
			x, blocked := s.Conflict(l)
			checkBlocker(t, m, l, x, blocked)
		},
		"add": func(t *rapid.T) {
			l := drawLock(t)
			change, ok := s.Add(l)
			if ok != (m.denied(l) == nil) {
				t.Fatalf("%+v: added %v, owners in the way %v", l, ok, m.denied(l))
			}
			if grown += change; ok {
				m.set(l.Owner, l.Range, modeOf(l))
			}
		},
		"overlapping": func(t *rapid.T) {
			r := drawRange(t)
			want := slices.DeleteFunc(m.locks(), func(l Lock[int]) bool { return l.End < r.Start || l.Start > r.End })
			if diff := gocmp.Diff(ordered(want), ordered(slices.Collect(s.Overlapping(r))), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("locks over %+v (-want +got):\n%s", r, diff)
			}
		},
		"remove": func(t *rapid.T) {
			l := drawLock(t)
			grown += s.Remove(l.Owner, l.Range)
			m.set(l.Owner, l.Range, none)
		},
		"remove owners": func(t *rapid.T) {
			o := rapid.IntRange(0, owners-1).Draw(t, "owner")
			grown += s.RemoveOwners(func(owner int) bool { return owner <= o })
			for gone := range o + 1 {
				m.set(gone, Range{0, math.MaxUint64}, none)
			}
		},
		"": func(t *rapid.T) {
			want := ordered(m.locks())
			if diff := gocmp.Diff(want, ordered(slices.Collect(s.All())), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("locks (-want +got):\n%s", diff)
			}
			if s.Len() != len(want) || grown != len(want) {
				t.Fatalf("Len is %d, by the changes %d, want %d", s.Len(), grown, len(want))
			}
			for o := range owners {
				has := slices.ContainsFunc(want, func(l Lock[int]) bool { return l.Owner == o })
				if s.Holds(o) != has {
					t.Fatalf("Holds(%d) is %v", o, !has)
				}
			}
			checkOrder(t, &s)
		},
	})
}

// checkOrder fails if the Set's own order is broken.
func checkOrder(t *rapid.T, s *Set[int]) {
	var reach uint64
	for i, l := range s.locks {
		reach = max(reach, l.End)
		if i > 0 && s.locks[i-1].Start > l.Start || l.reach != reach {
			t.Fatalf("lock %d of %+v is out of order", i, s.locks)
		}
	}
}

func TestModel(t *testing.T) { rapid.Check(t, agreesWithModel) }

func FuzzModel(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agreesWithModel)) }
