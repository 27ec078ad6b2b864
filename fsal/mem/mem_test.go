package mem_test

import (
	"testing"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/fsaltest"
	"github.com/tidegate/tidegate/fsal/mem"
)

// open returns a Target whose FS is closed at the end, which finds references
// that were not put.
func open(t *testing.T) fsaltest.Target {
	fs := mem.New(mem.Config{})
	t.Cleanup(func() {
		if err := fs.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return fsaltest.Target{
		FS: fs, Refs: fs.Refs, Privileged: true, Devices: true,
		Small: func(_ *testing.T, bytes, files uint64) fsal.FS {
			return mem.New(mem.Config{Bytes: bytes, Files: files})
		},
	}
}

func TestConformance(t *testing.T) { fsaltest.Run(t, open) }
