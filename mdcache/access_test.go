package mdcache

import (
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// TestCallers: who asks for many objects is kept once, and as he was.
func TestCallers(t *testing.T) {
	var c callers
	groups := []uint32{5, 6}
	who := fsal.Cred{UID: 1, GID: 2, Groups: groups}
	first := c.one(&who)
	if again := c.one(&who); again != first {
		t.Error("one caller is kept twice")
	}
	groups[0] = 7 // the request's by now
	if first.Groups[0] != 5 {
		t.Errorf("his groups are %d", first.Groups)
	}
	for _, other := range []fsal.Cred{who, {UID: 1, GID: 2}, {UID: 1, GID: 3, Groups: groups}, {UID: 257, GID: 2, Groups: groups}} {
		if got := c.one(&other); got == first || !got.Equal(&other) {
			t.Errorf("%+v is taken for %+v", other, *got)
		}
	}
}
