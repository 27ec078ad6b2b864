//go:build ceph

package rados_test

import (
	"testing"
	"time"

	"github.com/tidegate/tidegate/cluster"
)

// A watch that breaks, here with its object, is begun anew, and tells of what may
// have been missed.
func TestWatchBreaks(t *testing.T) {
	const soon = 20 * time.Second
	ctx := t.Context()
	p := open(t, connect(t), namespace())
	if _, err := p.Apply(ctx, "watched", cluster.Write{}); err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{}, 1000)
	stop, err := p.Watch(ctx, "watched", func() { heard <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	hear := func(what string) {
		t.Helper()
		select {
		case <-heard:
		case <-time.After(soon):
			t.Fatalf("nothing heard of %s", what)
		}
	}
	if err := p.Delete(ctx, "watched"); err != nil {
		t.Fatal(err)
	}
	hear("the watch's end")
	if _, err := p.Apply(ctx, "watched", cluster.Write{}); err != nil {
		t.Fatal(err)
	}
	// Without a watch it looks once a second: too seldom to hear of ten in a row.
	for inRow, deadline := 0, time.Now().Add(soon); inRow < 10; inRow++ {
		for len(heard) > 0 {
			<-heard
		}
		if err := p.Notify(ctx, "watched"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
		case <-time.After(200 * time.Millisecond):
			inRow = -1
		}
		if time.Now().After(deadline) {
			t.Fatal("the watch is not begun anew")
		}
	}
}
