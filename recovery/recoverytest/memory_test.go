package recoverytest

import (
	"testing"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

func TestMemory(t *testing.T) {
	Run(t, func(t *testing.T) func() recovery.Backend {
		d := NewDisk()
		return func() recovery.Backend { return d.Backend(time.Minute) }
	})
}
