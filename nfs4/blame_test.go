package nfs4

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// The log says why an application of a client sees an error that is the server's
// fault, if not every time; of others it says nothing.
func TestBlame(t *testing.T) {
	for _, tt := range []struct {
		cause error
		want  wire.Status
		told  bool
	}{
		{syscall.EIO, wire.ErrIO, true},
		{syscall.ENOTCONN, wire.ErrIO, true}, // as any that a file system should not answer
		{errors.New("no errno"), wire.ErrServerFault, true},
		{syscall.EACCES, wire.ErrAccess, false},
		{syscall.ESHUTDOWN, wire.ErrDelay, false},
	} {
		t.Run(tt.cause.Error(), func(t *testing.T) {
			fs := &faulty{FS: memory(t), errs: map[string]error{"bad": tt.cause}}
			s := newServer(t, Export{ID: firstID, Path: firstPath, FS: fs})
			core, logs := observer.New(zap.WarnLevel)
			s.log = zap.New(core)
			c := connect(t, s, 2)
			c.ok(at(firstPath, mkdir("bad"))...)
			const often = 100
			for range often {
				c.fails(tt.want, at(firstPath, wire.ReaddirArgs{MaxCount: 4096, AttrRequest: wire.BitmapOf(wire.AttrType)})...)
			}
			if !tt.told {
				if logs.Len() != 0 {
					t.Errorf("the log says %v", logs.All())
				}
				return
			}
			if n := logs.Len(); n == 0 || n == often {
				t.Fatalf("%d lines", n)
			}
			line := logs.All()[0].ContextMap()
			for field, want := range map[string]string{
				"operation": "READDIR", "status": tt.want.String(), "error": tt.cause.Error(), "export": firstPath, "from": "127.0.0.1:",
			} {
				if got, _ := line[field].(string); !strings.HasPrefix(got, want) {
					t.Errorf("%s is %q, want %q", field, got, want)
				}
			}
			if line["client"] == "" {
				t.Error("it says no client")
			}
		})
	}
}
