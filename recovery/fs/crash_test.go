package fs

import (
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

// enumerate is an enumeration on a disk that loses what was not synced.
func enumerate(open func(*crashDisk) recovery.Backend) *recoverytest.Enumeration[*crashDisk] {
	return recoverytest.NewEnumeration(open, func(c recovery.Client) recovery.Client { return c })
}

func plain(d *crashDisk) recovery.Backend {
	b := New(Config{Lease: time.Minute})
	b.store = d
	b.slots = make(chan struct{}, 1) // the fewest interleavings that Renew can have
	return b
}

func TestCrashEnumeration(t *testing.T) {
	e := enumerate(plain)
	for name, words := range recoverytest.Histories {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			e.History(newCrashDisk(), words)
			t.Logf("%d states after three crashes, %d in all", e.Checked, e.Seen())
			if e.Failure != "" {
				t.Fatal(e.Failure)
			}
		})
	}
}
