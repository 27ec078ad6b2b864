// Package clustertest is what every cluster.Pool must pass.
package clustertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/cluster"
)

// Run runs the suite; open returns another view of one namespace, which it may
// fill, at each call.
func Run(t *testing.T, open func(t *testing.T) cluster.Pool) {
	for name, test := range map[string]func(*testing.T, cluster.Pool, cluster.Pool){
		"objects": objects, "attributes": attributes, "bodies": bodies, "many keys": manyKeys,
		"odd keys": oddKeys, "writers": writers, "watch": watch, "cancelled": cancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t), open(t)) })
	}
}

type bytemap = map[string][]byte

func same(a, b bytemap) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// apply makes a change that must be taken.
func apply(t *testing.T, p cluster.Pool, oid string, w cluster.Write) uint64 {
	t.Helper()
	v, err := p.Apply(t.Context(), oid, w)
	if err != nil {
		t.Fatalf("%s: %v", oid, err)
	}
	if v == 0 {
		t.Fatalf("%s: version 0", oid)
	}
	return v
}

// expect compares an object, but for its version if that is 0.
func expect(t *testing.T, p cluster.Pool, oid string, want cluster.Object) {
	t.Helper()
	o, err := p.Read(t.Context(), oid)
	if err != nil {
		t.Fatalf("%s: %v", oid, err)
	}
	if want.Version != 0 && o.Version != want.Version {
		t.Errorf("%s: version %d, want %d", oid, o.Version, want.Version)
	}
	if !bytes.Equal(o.Body, want.Body) || !same(o.Omap, want.Omap) || !same(o.Attrs, want.Attrs) {
		t.Errorf("%s: %+v, want %+v", oid, o, want)
	}
}

func objects(t *testing.T, p, q cluster.Pool) {
	const oid = "objects"
	ctx := t.Context()
	if _, err := p.Read(ctx, oid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read of nothing: %v", err)
	}
	if err := p.Delete(ctx, oid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deletion of nothing: %v", err)
	}
	if _, err := p.Apply(ctx, oid, cluster.Write{Version: 7, Body: []byte("x")}); !errors.Is(err, cluster.ErrChanged) {
		t.Errorf("change of nothing: %v", err)
	}
	v1 := apply(t, p, oid, cluster.Write{Body: []byte("one"), Set: bytemap{"a": {1}, "b": {2}}})
	expect(t, q, oid, cluster.Object{Version: v1, Body: []byte("one"), Omap: bytemap{"a": {1}, "b": {2}}})
	if _, err := q.Apply(ctx, oid, cluster.Write{Body: []byte("two")}); !errors.Is(err, cluster.ErrChanged) {
		t.Errorf("made twice: %v", err)
	}
	v2 := apply(t, q, oid, cluster.Write{Version: v1, Set: bytemap{"c": {}}, Drop: []string{"a", "none"}})
	if v2 <= v1 {
		t.Errorf("version %d after %d", v2, v1)
	}
	expect(t, p, oid, cluster.Object{Version: v2, Body: []byte("one"), Omap: bytemap{"b": {2}, "c": {}}})
	for _, v := range []uint64{v1, v2 + 1} {
		if _, err := p.Apply(ctx, oid, cluster.Write{Version: v, Body: []byte("no")}); !errors.Is(err, cluster.ErrChanged) {
			t.Errorf("version %d is taken: %v", v, err)
		}
	}
	expect(t, p, oid, cluster.Object{Version: v2, Body: []byte("one"), Omap: bytemap{"b": {2}, "c": {}}})
	if err := p.Delete(ctx, oid); err != nil {
		t.Error(err)
	}
	if v3 := apply(t, p, oid, cluster.Write{}); v3 <= v2 {
		t.Errorf("made anew: version %d after %d", v3, v2)
	}
	expect(t, p, oid, cluster.Object{})
}

func attributes(t *testing.T, p, _ cluster.Pool) {
	v := apply(t, p, "attrs", cluster.Write{Attrs: bytemap{"x": []byte("\x00any\xff"), "y": []byte("y"), "z": {}}})
	expect(t, p, "attrs", cluster.Object{Attrs: bytemap{"x": []byte("\x00any\xff"), "y": []byte("y")}})
	v = apply(t, p, "attrs", cluster.Write{Version: v, Attrs: bytemap{"x": nil, "y": []byte("yy")}, Set: bytemap{"k": []byte("v")}})
	expect(t, p, "attrs", cluster.Object{Version: v, Attrs: bytemap{"y": []byte("yy")}, Omap: bytemap{"k": []byte("v")}})
}

func bodies(t *testing.T, p, _ cluster.Pool) {
	long := bytes.Repeat([]byte("x"), cluster.MaxBody+1)
	v := apply(t, p, "body", cluster.Write{Body: long})
	expect(t, p, "body", cluster.Object{Body: long[:cluster.MaxBody]})
	apply(t, p, "body", cluster.Write{Version: v, Body: []byte("short")})
	expect(t, p, "body", cluster.Object{Body: []byte("short")})
}

func manyKeys(t *testing.T, p, _ cluster.Pool) {
	want := make(bytemap)
	for i := range 5000 {
		want[fmt.Sprint(i)] = []byte(strings.Repeat("v", i%100))
	}
	v := apply(t, p, "many", cluster.Write{Set: want})
	expect(t, p, "many", cluster.Object{Version: v, Omap: want})
	var drop []string
	for k := range want {
		if len(drop) < 4000 {
			drop = append(drop, k)
		}
	}
	apply(t, p, "many", cluster.Write{Version: v, Drop: drop})
	for _, k := range drop {
		delete(want, k)
	}
	expect(t, p, "many", cluster.Object{Omap: want})
}

func oddKeys(t *testing.T, p, _ cluster.Pool) {
	want := bytemap{"node with space": {0, 0}, "ü": []byte("\x00"), strings.Repeat("x", 200): nil, "a/b": []byte("\xff"), "\n": []byte("n")}
	apply(t, p, "odd:\u00fc /name", cluster.Write{Set: want})
	expect(t, p, "odd:\u00fc /name", cluster.Object{Omap: want})
}

// writers add to a counter each, read by version and write by it.
func writers(t *testing.T, p, q cluster.Pool) {
	const each, rounds = 4, 25
	apply(t, p, "count", cluster.Write{Set: bytemap{"n": []byte("0")}})
	done := make(chan error, 2*each)
	for _, pool := range []cluster.Pool{p, q} {
		for range each {
			go func() { done <- count(t.Context(), pool, rounds) }()
		}
	}
	for range 2 * each {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	expect(t, p, "count", cluster.Object{Omap: bytemap{"n": []byte(fmt.Sprint(2 * each * rounds))}})
}

func count(ctx context.Context, p cluster.Pool, rounds int) error {
	for rounds > 0 {
		o, err := p.Read(ctx, "count")
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscan(string(o.Omap["n"]), &n); err != nil {
			return err
		}
		_, err = p.Apply(ctx, "count", cluster.Write{Version: o.Version, Set: bytemap{"n": []byte(fmt.Sprint(n + 1))}})
		switch {
		case err == nil:
			rounds--
		case !errors.Is(err, cluster.ErrChanged):
			return err
		}
	}
	return nil
}

func watch(t *testing.T, p, q cluster.Pool) {
	const soon = 10 * time.Second
	ctx := t.Context()
	if _, err := p.Watch(ctx, "nothing", func() {}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("watch of nothing: %v", err)
	}
	apply(t, p, "watched", cluster.Write{})
	apply(t, p, "other", cluster.Write{})
	heard := make(chan string, 100)
	for name, pool := range map[string]cluster.Pool{"p": p, "q": q} {
		stop, err := pool.Watch(ctx, "watched", func() { heard <- name })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	began := time.Now()
	if err := p.Notify(ctx, "other"); err != nil {
		t.Error(err)
	}
	if err := p.Notify(ctx, "watched"); err != nil {
		t.Error(err)
	}
	called := time.Since(began)
	told := make(map[string]bool)
	for len(told) < 2 {
		select {
		case name := <-heard:
			told[name] = true
		case <-time.After(soon):
			t.Fatalf("only %v heard of it", told)
		}
	}
	t.Logf("the call took %v, until all had heard %v", called, time.Since(began))
	if called > time.Second {
		t.Errorf("Notify took %v: it waits for those who are told", called)
	}
}

func cancelled(t *testing.T, p, _ cluster.Pool) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Apply(ctx, "cancelled", cluster.Write{}); !errors.Is(err, context.Canceled) {
		t.Errorf("apply: %v", err)
	}
	if _, err := p.Read(ctx, "cancelled"); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	if _, err := p.Read(t.Context(), "cancelled"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a cancelled call did something: %v", err)
	}
}
