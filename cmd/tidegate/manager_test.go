//go:build ceph

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ceph/go-ceph/rados"
	"go.uber.org/zap"

	"github.com/tidegate/tidegate/internal/cephtest"
	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// managed is a cluster whose manager knows an NFS cluster called tg.
type managed struct {
	*testing.T
	*cephtest.Cluster
	urls config.RadosURLs
}

func newManaged(t *testing.T) *managed {
	t.Helper()
	cluster, err := cephtest.Start("--mgr")
	if errors.Is(err, cephtest.ErrMissing) {
		t.Skip("CephFS: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Stop() })
	m := &managed{t, cluster, config.RadosURLs{CephConf: cluster.Conf(), WatchURL: "rados://.nfs/tg/conf-nfs.tg"}}
	m.ceph("osd", "pool", "create", ".nfs", "8")
	m.put("conf-nfs.tg", "\n")
	return m
}

func (m *managed) ceph(args ...string) {
	m.Helper()
	if _, err := m.Ceph(args...); err != nil {
		m.Fatal(err)
	}
}

// put writes an object of the NFS cluster.
func (m *managed) put(name, text string) {
	m.Helper()
	m.inPool(func(io *rados.IOContext) error { return io.WriteFull(name, []byte(text)) })
}

// change changes an object, and tells of it as the manager does: it waits for the
// acknowledgement.
func (m *managed) change(name string, by func(string) string) {
	m.Helper()
	objects := newObjects()
	defer objects.Close()
	text, err := objects.fetch(m.Context(), config.Object{Pool: ".nfs", Namespace: "tg", Name: name}, m.urls)
	if err != nil {
		m.Fatal(err)
	}
	m.put(name, by(string(text)))
	m.inPool(func(io *rados.IOContext) error {
		acks, timeouts, err := io.Notify("conf-nfs.tg", nil)
		if len(acks) != 1 || len(timeouts) != 0 {
			m.Errorf("%d acknowledged the notification, %d did not; want 1 and 0", len(acks), len(timeouts))
		}
		return err
	})
}

func (m *managed) inPool(do func(*rados.IOContext) error) {
	m.Helper()
	conn, err := dialRados(m.urls)
	if err != nil {
		m.Fatal(err)
	}
	defer conn.Shutdown()
	io, err := openPool(conn, config.Object{Pool: ".nfs", Namespace: "tg"})
	if err != nil {
		m.Fatal(err)
	}
	defer io.Destroy()
	if err := do(io); err != nil {
		m.Fatal(err)
	}
}

// conf is a configuration as the manager writes it.
func (m *managed) conf() string {
	return fmt.Sprintf("CEPH { Ceph_Conf = %q; }\nRADOS_URLS { ceph_conf = %q; watch_url = %q; }\n%%url %s\n",
		m.Conf(), m.Conf(), m.urls.WatchURL, m.urls.WatchURL)
}

// Exports that the Ceph manager makes, changes and removes are there, changed and
// gone on a server that runs, and clients of the others notice nothing.
func TestManager(t *testing.T) {
	m := newManaged(t)
	r := newRig(t, t.TempDir(), m.conf())
	s := r.mount("client")
	if err := r.sees(s, "/one"); !client.IsStatus(err, wire.ErrNoEnt) {
		t.Fatalf("before there is an export: %v", err)
	}
	m.ceph("nfs", "export", "create", "cephfs", "tg", "/one", cephtest.FS)
	r.eventually("the export is there", func() bool { return !client.IsStatus(r.sees(s, "/one"), wire.ErrNoEnt) })
	f := r.file(s, "/one", "f")
	write := func() {
		t.Helper()
		if _, err := s.Write(t.Context(), f.FH, f.Stateid, 0, wire.FileSync, []byte("x")); err != nil {
			t.Errorf("WRITE to an export that stays: %v", err)
		}
	}
	write()

	m.ceph("nfs", "export", "create", "cephfs", "tg", "/two", cephtest.FS)
	r.eventually("the second export is there", func() bool { return !client.IsStatus(r.sees(s, "/two"), wire.ErrNoEnt) })
	two := r.file(s, "/two", "g")
	write()
	m.change("export-2", func(text string) string { return strings.Replace(text, `access_type = "RW"`, `access_type = "RO"`, 1) })
	r.eventually("the second export is read-only", func() bool {
		_, err := s.Setattr(t.Context(), two.FH, wire.Stateid{}, client.ModeAttr(0o600))
		return client.IsStatus(err, wire.ErrROFS)
	})
	m.ceph("nfs", "export", "rm", "tg", "/two")
	r.eventually("the second export is gone", func() bool {
		_, err := s.Getattr(t.Context(), two.FH, wire.BitmapOf(wire.AttrSize))
		return client.IsStatus(err, wire.ErrStale) && client.IsStatus(r.sees(s, "/two"), wire.ErrNoEnt)
	})
	write()

	// What nobody can read changes nothing, and the next good one is taken.
	m.put("conf-nfs.tg", "%url rados://.nfs/tg/gone\n")
	if _, err := r.command(reloadCommand(), ""); err == nil || !strings.Contains(err.Error(), "rados://.nfs/tg/gone does not exist") {
		t.Errorf("a missing object: %v", err)
	}
	write()
	m.put("conf-nfs.tg", "%url rados://.nfs/tg/export-1\n")
	r.must(reloadCommand(), "")
	write()
}

// What is wrong with an export of CephFS is told in one line that says what to do.
func TestCephExportErrors(t *testing.T) {
	m := newManaged(t)
	dead := filepath.Join(t.TempDir(), "ceph.conf")
	if err := os.WriteFile(dead, []byte("[global]\nmon host = [v2:127.0.0.1:1/0]\nkey = AQAEuQJrAAAAABAADYSdVppW1gopqLCuWXyIlQ==\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		spec cephSpec
		want string
	}{
		{"wrong key", cephSpec{user: "nfs", key: "AQAEuQJrAAAAABAADYSdVppW1gopqLCuWXyIlQ=="}, "compare it with: ceph auth get client.nfs"},
		{"unknown user", cephSpec{user: "nobody"}, "ceph auth get client.nobody"},
		{"unknown file system", cephSpec{user: "nfs", name: "none"}, "no such file system; there are: cephfs"},
		{"no monitor", cephSpec{user: "nfs", conf: dead}, "check mon_host and the network"},
		{"no directory", cephSpec{user: "nfs", path: "/none"}, "/none"},
		{"no configuration", cephSpec{user: "nfs", conf: "/does/not/exist"}, "/does/not/exist cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := exportSpec{id: 7, pseudo: "/x", source: source{kind: config.CEPH, ceph: test.spec}}
			c := &x.source.ceph
			if c.conf == "" {
				c.conf = m.Conf()
			}
			if c.name == "" {
				c.name = cephtest.FS
			}
			if c.path == "" {
				c.path = "/"
			}
			fs, err := openSource(x, &settings{stateDir: t.TempDir(), nodeID: "n"}, zap.NewNop())
			if err == nil {
				fs.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
		})
	}
}

// What cannot be read of RADOS is told with what to do about it.
func TestObjects(t *testing.T) {
	m := newManaged(t)
	dead := filepath.Join(t.TempDir(), "ceph.conf")
	if err := os.WriteFile(dead, []byte("[global]\nmon host = [v2:127.0.0.1:1/0]\nkey = AQAEuQJrAAAAABAADYSdVppW1gopqLCuWXyIlQ==\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.put("large", strings.Repeat(" ", config.MaxSource+1))
	m.put("good", "text")
	conf := config.RadosURLs{CephConf: m.Conf()}
	objects := newObjects()
	defer objects.Close()
	for _, test := range []struct {
		url  string
		with config.RadosURLs
		want string
	}{
		{"rados://.nfs/tg/good", conf, ""},
		{"rados://.nfs/tg/none", conf, "file does not exist"},
		{"rados://.nfs/tg/large", conf, "it is larger than 4 MiB"},
		{"rados://none/tg/good", conf, "there is no pool none"},
		{"rados://good", conf, "its URL names no pool"},
		{"rados://.nfs/tg/good", config.RadosURLs{CephConf: dead}, "check mon_host and the network"},
		{"rados://.nfs/tg/good", config.RadosURLs{CephConf: m.Conf(), UserID: "nobody"}, "ceph auth get client.nobody"},
		{"rados://.nfs/tg/good", config.RadosURLs{CephConf: "/none"}, "the configuration /none of Ceph cannot be read"},
		{"rados://.nfs/tg/good", conf, ""},
	} {
		o, err := config.ParseURL(test.url)
		if err != nil {
			t.Fatal(err)
		}
		text, err := objects.fetch(t.Context(), o, test.with)
		switch {
		case test.want == "" && (err != nil || string(text) != "text"):
			t.Errorf("%s: %q, %v", test.url, text, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %q", test.url, err, test.want)
		}
	}
	for _, size := range []int{firstRead - 1, firstRead, firstRead + 1, config.MaxSource} {
		m.put("sized", strings.Repeat("x", size))
		text, err := objects.fetch(t.Context(), config.Object{Pool: ".nfs", Namespace: "tg", Name: "sized"}, conf)
		if len(text) != size || err != nil {
			t.Errorf("of %d bytes it reads %d, %v", size, len(text), err)
		}
	}
}

// Clients of an export of CephFS notice nothing while others come and go, and
// those leave no session behind.
func TestCephExportsUnderLoad(t *testing.T) {
	m := newManaged(t)
	head := fmt.Sprintf("CEPH { Ceph_Conf = %q; }\n", m.Conf())
	export := func(id int, pseudo string) string {
		return fmt.Sprintf("EXPORT { Export_Id = %d; Path = /; Pseudo = %s; FSAL { Name = CEPH; User_Id = nfs; Filesystem = %s; } }\n", id, pseudo, cephtest.FS)
	}
	r := newRig(t, t.TempDir(), head+export(1, "/one"))
	s, other := r.mount("client"), r.mount("other")
	f := r.file(s, "/one", "f")
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	load.Go(func() {
		for i := uint64(0); ctx.Err() == nil; i++ {
			if _, err := s.Write(t.Context(), f.FH, f.Stateid, i%64*4096, wire.FileSync, make([]byte, 4096)); err != nil {
				t.Errorf("WRITE %d: %v", i, err)
				return
			}
		}
	})
	for i := range 20 {
		pseudo := fmt.Sprintf("/b%d", i%3)
		r.write(head + export(1, "/one") + export(2+i%2, pseudo))
		r.must(reloadCommand(), "")
		r.file(other, pseudo, "g") // and left open
	}
	stop()
	load.Wait()
	r.write(head + export(1, "/one"))
	r.must(reloadCommand(), "")
	r.eventually("the sessions of the others are gone", func() bool {
		list, err := m.Sessions(cephtest.FS + ":0")
		if err != nil {
			t.Fatal(err)
		}
		list = slices.DeleteFunc(list, func(x cephtest.Session) bool { return !strings.HasPrefix(x.Metadata.UUID, "ganesha-") })
		return len(list) == 1 && strings.HasSuffix(list[0].Metadata.UUID, "-0001")
	})
}

// A second server of a state directory leaves the sessions of the first one alone.
func TestCephSecondStart(t *testing.T) {
	m := newManaged(t)
	dir := t.TempDir()
	conf := fmt.Sprintf("CEPH { Ceph_Conf = %q; }\nEXPORT { Export_Id = 1; Path = /; Pseudo = /one; FSAL { Name = CEPH; User_Id = nfs; Filesystem = %s; } }\n", m.Conf(), cephtest.FS)
	r := newRig(t, dir, conf)
	r.eventually("the export is there", func() bool { x, ok := r.exports.find("/one"); return ok && x.Served })
	sessions := func() (ids []int64) {
		list, err := m.Sessions(cephtest.FS + ":0")
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range list {
			if strings.HasPrefix(x.Metadata.UUID, "ganesha-") {
				ids = append(ids, x.ID)
			}
		}
		return ids
	}
	before := sessions()
	out, err := program(t, "tidegate", "serve", "--config", r.conf, "--state-dir", filepath.Join(dir, "state"),
		"--listen", "127.0.0.1:0", "--monitor", "").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another server answers there") {
		t.Errorf("the second server: %v, %s", err, out)
	}
	if after := sessions(); len(before) != 1 || !slices.Equal(before, after) {
		t.Errorf("sessions with CephFS: %v before, %v after", before, after)
	}
}
