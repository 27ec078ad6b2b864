package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
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
