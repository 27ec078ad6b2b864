package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// What a client may do changes with the configuration, under an open that stays.
func TestReloadAccess(t *testing.T) {
	export := func(clients string) string {
		return fmt.Sprintf("EXPORT { Export_Id = 1; Path = /; Pseudo = /a; FSAL { Name = MEM; } %s }\n", clients)
	}
	r := newRig(t, t.TempDir(), export(""))
	s := r.mount("client")
	f := r.file(s, "/a", "f")
	for _, x := range []struct {
		clients string
		want    wire.Status
	}{
		{"CLIENT { Clients = 127.0.0.0/8; Access_Type = RO; }", wire.ErrROFS},
		{"CLIENT { Clients = 127.0.0.1; Access_Type = MDONLY; }", wire.ErrAccess},
		{"CLIENT { Clients = *; Access_Type = none; }", wire.ErrStale},
		{"CLIENT { Clients = 127.0.0.2; Access_Type = RO; }", wire.OK},
	} {
		r.write(export(x.clients))
		r.must(reloadCommand(), "")
		_, err := s.Write(t.Context(), f.FH, f.Stateid, 0, wire.FileSync, []byte("x"))
		if x.want == wire.OK && err != nil || x.want != wire.OK && !client.IsStatus(err, x.want) {
			t.Errorf("%s: %v, want %v", x.clients, err, x.want)
		}
	}
	r.write(export("CLIENT { Clients = 10.0.0.0/99; }"))
	if _, err := r.command(reloadCommand(), ""); err == nil || !strings.Contains(err.Error(), `"10.0.0.0/99" is no network`) {
		t.Errorf("a list that is none: %v", err)
	}
}

// File handles are good after a restart, and not without the key that made them.
func TestHandlesAfterRestart(t *testing.T) {
	dir := t.TempDir()
	shared := filepath.Join(dir, "shared")
	if err := os.Mkdir(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	var fh wire.FH
	run := func(name string, use func(*testing.T, *client.Session)) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, dir, dirExport(1, shared, "/a"))
			s := r.mount(name)
			r.eventually("/a is served", func() bool { return r.sees(s, "/a") == nil })
			use(t, s)
		})
	}
	run("first", func(t *testing.T, s *client.Session) {
		var err error
		if fh, err = s.Lookup(t.Context(), "/a"); err != nil {
			t.Fatal(err)
		}
	})
	attrs := wire.BitmapOf(wire.AttrFileID)
	run("again", func(t *testing.T, s *client.Session) {
		if _, err := s.Getattr(t.Context(), fh, attrs); err != nil {
			t.Error(err)
		}
	})
	if err := os.Remove(filepath.Join(dir, "state", "handle.key")); err != nil {
		t.Fatal(err)
	}
	run("another key", func(t *testing.T, s *client.Session) {
		if _, err := s.Getattr(t.Context(), fh, attrs); !client.IsStatus(err, wire.ErrBadHandle) {
			t.Errorf("got %v", err)
		}
	})
}
