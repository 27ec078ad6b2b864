// Package gracetest makes grace controllers for the tests of other packages.
package gracetest

import (
	"context"
	"runtime"
	"time"

	"github.com/tidegate/tidegate/grace"
	"github.com/tidegate/tidegate/recovery/recoverytest"
)

// TB is what is needed of a test.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Steady returns a controller with nobody on record, outside of any grace
// period, that ends with the test.
func Steady(t TB) *grace.Controller {
	t.Helper()
	ctx := context.Background()
	c, err := grace.Start(ctx, grace.Config{Backend: recoverytest.NewDisk().Backend(time.Minute)})
	if err != nil {
		t.Fatalf("grace: %v", err)
	}
	t.Cleanup(func() { c.Close(ctx) })
	Await(t, c, grace.NewState)
	return c
}

// Await waits until the gate lets a kind of state in.
func Await(t TB, c *grace.Controller, kind grace.Kind) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		err := c.Enter(kind)
		if err == nil {
			c.Leave()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("grace: still %v, %v", c.Status().Phase, err)
		}
	}
}
