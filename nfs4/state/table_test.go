package state

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// row is a value that knows its place.
type row struct{ index, gen uint32 }

func addRow(tb *table[row]) (r *row, ok bool) {
	ok = tb.add(func(index, gen uint32) *row {
		r = &row{index, gen}
		return r
	})
	return r, ok
}

func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Uint32Range(1, 200).Draw(t, "limit")
		tb := &table[row]{limit: limit}
		var rows []*row
		seen := map[row]bool{}
		add := func(t *rapid.T) {
			r, ok := addRow(tb)
			if ok != (len(rows) < int(limit)) {
				t.Fatalf("add with %d of %d: %v", len(rows), limit, ok)
			}
			if !ok {
				return
			}
			if seen[*r] {
				t.Fatalf("%+v comes twice", *r)
			}
			seen[*r] = true
			rows = append(rows, r)
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": add,
			"add many": func(t *rapid.T) {
				for range 50 {
					add(t)
				}
			},
			"remove": func(t *rapid.T) {
				if len(rows) == 0 {
					t.Skip("empty")
				}
				i := rapid.IntRange(0, len(rows)-1).Draw(t, "row")
				tb.remove(rows[i].index)
				if tb.load(rows[i].index) != nil {
					t.Fatal("a removed value is found")
				}
				rows = append(rows[:i], rows[i+1:]...)
			},
			"churn": func(t *rapid.T) {
				for len(rows) > 0 {
					tb.remove(rows[0].index)
					rows = rows[1:]
				}
				for range 2 * minFree {
					add(t)
					tb.remove(rows[0].index)
					rows = rows[:0]
				}
			},
			"": func(t *rapid.T) {
				n := 0
				tb.all(func(*row) { n++ })
				if n != len(rows) {
					t.Fatalf("all finds %d of %d", n, len(rows))
				}
				for _, r := range rows {
					if tb.load(r.index) != r {
						t.Fatalf("%+v is not found", *r)
					}
				}
			},
		})
	})
}

func TestTableLoadsAnyIndex(t *testing.T) {
	tb := &table[row]{limit: maxIndex}
	for _, index := range []uint32{0, 15, 16, 47, 48, maxIndex - 1, maxIndex, math.MaxUint32 / 2, math.MaxUint32} {
		if tb.load(index) != nil {
			t.Errorf("an empty table has something at %d", index)
		}
	}
	for want := range uint32(5000) {
		if r, ok := addRow(tb); !ok || r.index != want || r.gen != 1 || tb.load(want) != r {
			t.Fatalf("row %d: %+v, %v", want, r, ok)
		}
	}
}

// A freed index rests until many others were freed after it.
func TestTableIndexRests(t *testing.T) {
	tb := &table[row]{limit: 2}
	last := map[uint32]int{}
	for i := range 5 * minFree {
		r, _ := addRow(tb)
		if at, ok := last[r.index]; ok && i-at <= minFree {
			t.Fatalf("index %d is used again after %d others", r.index, i-at-1)
		}
		last[r.index] = i
		tb.remove(r.index)
	}
}

// Every index can be used, and a full table takes another when one goes.
func TestTableFills(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a large table")
	}
	tb := &table[row]{limit: maxIndex}
	one := new(row)
	for range maxIndex {
		if !tb.add(func(uint32, uint32) *row { return one }) {
			t.Fatal("the table is full too early")
		}
	}
	if _, ok := addRow(tb); ok {
		t.Error("a full table takes another")
	}
	tb.remove(77)
	if r, ok := addRow(tb); !ok || *r != (row{77, 2}) {
		t.Errorf("after one was removed comes %+v, %v", r, ok)
	}
}

// Readers see a value as it was added, or nothing.
func TestTableRace(t *testing.T) {
	tb := &table[row]{limit: 64}
	var stop atomic.Bool
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := uint32(0); !stop.Load(); i++ {
				if r := tb.load(i % 4096); r != nil && r.index != i%4096 {
					t.Errorf("index %d has %+v", i%4096, *r)
					return
				}
			}
		})
	}
	for range 4 {
		writers.Go(func() {
			for range 2000 {
				if r, ok := addRow(tb); ok {
					tb.remove(r.index)
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	if tb.used != 0 {
		t.Errorf("%d values are left", tb.used)
	}
}
