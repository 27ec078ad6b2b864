//go:build linux

package direct

import (
	"testing"
	"time"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/mem"
)

// Every operation is measured, and nothing is left behind.
func TestMeasure(t *testing.T) {
	fs := mem.New(mem.Config{})
	all, err := Measure(t.Context(), fs, fsal.Cred{}, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(steps) {
		t.Errorf("%d operations, want %d", len(all), len(steps))
	}
	for _, c := range all {
		if c.CPU <= 0 {
			t.Errorf("%s took %v", c.Op, c.CPU)
		}
	}
	r := &fsal.Req{Context: t.Context()}
	root, err := fs.Root(r)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Put()
	if _, err := root.Readdir(r, 0, 0, func(e *fsal.DirEntry) bool { t.Errorf("%s is left", e.Name); return true }); err != nil {
		t.Error(err)
	}
}
