package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/internal/config"
)

// A file system that cannot be opened and does not fail either holds no stop up, and
// neither do those that wait for it to be.
func TestCloseHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		table := newExportTable(func(context.Context, exportSpec) (fsal.FS, error) {
			<-hung
			return absent{}, nil
		}, zap.NewNop())
		var specs []exportSpec
		for id := range uint32(2 * opensAtOnce) {
			specs = append(specs, exportSpec{id: id + 1, pseudo: "/" + string(rune('A'+id)), source: source{kind: config.MEM}})
		}
		if _, err := table.set(specs, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		table.Close()
		if took := time.Since(began); took != stopTime {
			t.Errorf("it took %v", took)
		}
		close(hung)
		table.tries.Wait()
	})
}
