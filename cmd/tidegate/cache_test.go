package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/mdcache"
)

// Flags that no cache can be made of are refused in one line.
func TestCacheFlags(t *testing.T) {
	for _, test := range []struct{ flag, want string }{
		{"--cache-size=256", ""},
		{"--cache-size=0", "--cache-size 0: must be from 1 to "},
		{"--cache-size=-1", "--cache-size -1: "},
		{"--cache-size=100000000", "MiB, all of this host's memory"},
		{"--cache-size=8796093022208", "MiB, all of this host's memory"},
		{"--cache-size=9223372036854775807", "MiB, all of this host's memory"},
		{"--cache-objects=0", ""},
		{"--cache-objects=-1", "--cache-objects -1: "},
		{"--cache-objects=9223372036854775807", ""},
		{"--attr-expiration=0", ""},
		{"--attr-expiration=-1s", "--attr-expiration -1s: "},
	} {
		var s settings
		cmd := &cobra.Command{}
		s.register(cmd)
		if err := cmd.ParseFlags([]string{"--export", "mem:=/m", test.flag}); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := s.check(); err != nil {
			got = err.Error()
		}
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %q, want %q", test.flag, got, test.want)
		}
	}
}

// What may be kept at hand is shared by the exports in force, however they came.
func TestCachesShare(t *testing.T) {
	const all = mdcache.DefaultBytes
	dirs := [3]string{t.TempDir(), t.TempDir(), t.TempDir()}
	text := func(n int) (text string) {
		for i, dir := range dirs[:n] {
			text += dirExport(i+1, dir, "/"+strconv.Itoa(i))
		}
		return text
	}
	r := newRig(t, t.TempDir(), text(1))
	for _, n := range []int{1, 3, 2, 1} {
		r.write(text(n))
		if _, err := r.reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.eventually(fmt.Sprintf("%d caches share", n), func() bool {
			caches, _ := r.exports.caches()
			var sum int64
			for _, c := range caches {
				sum += c.Use().Most
			}
			return len(caches) == n && sum <= all && sum > all-100
		})
	}
}
