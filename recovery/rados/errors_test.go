package rados

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/mem"
	"github.com/tidegate/tidegate/recovery"
)

// An error says which object, and what to do.
func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err     error
		want    string
		refused bool
	}{
		{fmt.Errorf("object x: %w", syscall.ENOSPC), "make room", false},
		{syscall.ENOTRECOVERABLE, "recovery: object x: damaged; it is no grace database; ", true},
		{context.Canceled, "context canceled", false},
		{busy("y", "n"), "recovery: object y: in use by another server; another one runs as node n; ", true},
	} {
		err := explain("x", test.err)
		if !strings.Contains(err.Error(), test.want) || recovery.Refused(err) != test.refused {
			t.Errorf("%v: %v", test.err, err)
		}
	}
}

// Where the number of the last run is damaged none is made up.
func TestDamagedRun(t *testing.T) {
	pool := new(mem.Pool)
	site(t, pool)
	if _, err := pool.Apply(t.Context(), runName, cluster.Write{Body: []byte("three")}); err != nil {
		t.Fatal(err)
	}
	_, err := start(t, pool).Begin(t.Context())
	if !recovery.Refused(err) || !strings.Contains(err.Error(), "object "+runName+": damaged; write into it") {
		t.Errorf("%v", err)
	}
}
