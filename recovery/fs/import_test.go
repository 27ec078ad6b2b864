package fs

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/recovery"
)

// ganeshaName is a client's name as nfs-ganesha builds it, with the owner as it
// shows it.
func ganeshaName(shown string) string {
	return fmt.Sprintf("::ffff:192.0.2.7-(%d:%s)", len(shown), shown)
}

// ganeshaDir makes a client's directories as nfs-ganesha does.
func ganeshaDir(t *testing.T, tree, name string, revoked ...string) {
	t.Helper()
	for len(name) > segment {
		tree, name = filepath.Join(tree, name[:segment]), name[segment:]
	}
	dir := filepath.Join(tree, name)
	must(t, os.MkdirAll(dir, 0o700))
	for _, h := range revoked {
		must(t, os.WriteFile(filepath.Join(dir, "\x01"+base64.URLEncoding.EncodeToString([]byte(h))), nil, 0o600))
	}
}

func TestImport(t *testing.T) {
	root := t.TempDir()
	recov, old, node := filepath.Join(root, "v4recov"), filepath.Join(root, "v4old"), filepath.Join(root, "v4recov", "node3")
	slash := "Linux NFSv4.1 host/1"
	long := strings.Repeat("long/", 204) + "ends"                // 1024 bytes, 9 directories
	fork := strings.Repeat("long/", 204) + "forks"[:4]           // the same 8 first
	whole := strings.Repeat("w", segment-len(ganeshaName(""))-2) // a name of 255 bytes

	ganeshaDir(t, recov, ganeshaName("plain (odd) name:7"))
	ganeshaDir(t, recov, ganeshaName("0x"+hex.EncodeToString([]byte(slash))), "handle one", "\x00\xff")
	ganeshaDir(t, recov, ganeshaName("0x"+hex.EncodeToString([]byte(long))), "deep")
	ganeshaDir(t, recov, ganeshaName("0x"+hex.EncodeToString([]byte(fork))))
	ganeshaDir(t, recov, ganeshaName(whole))
	ganeshaDir(t, recov, ganeshaName("0x6162")) // an owner that says so itself
	ganeshaDir(t, node, ganeshaName("of a node"))
	ganeshaDir(t, old, ganeshaName("of the run before"))
	ganeshaDir(t, old, ganeshaName("plain (odd) name:7"), "since acknowledged")
	must(t, os.Mkdir(filepath.Join(recov, "::1-(9:short)"), 0o700))
	must(t, os.WriteFile(filepath.Join(recov, "stray"), nil, 0o600))
	before := listing(t, root)

	dir := filepath.Join(t.TempDir(), "recovery")
	b, start := begun(t, Config{Dir: dir, Import: root})
	want := map[string]string{
		"plain (odd) name:7": "", slash: "handle one|\x00\xff", long: "deep", fork: "", whole: "",
		"0x6162": "", "of a node": "", "of the run before": "",
	}
	for _, c := range start.Clients {
		handles, ok := want[c.Owner]
		if !ok || !c.MayReclaim() || !c.Exclusive || c.Addr != "::ffff:192.0.2.7" || !sameSet(handles, c.Handles) {
			t.Errorf("imported %+v", c)
		}
		delete(want, c.Owner)
	}
	if len(want) != 0 {
		t.Errorf("not imported: %q", want)
	}
	notes := strings.Join(start.Notes, "\n")
	for _, says := range []string{"imported 2 client records from " + old, "imported 7 client records from " + recov, "::1-(9:short)", "stray"} {
		if !strings.Contains(notes, says) {
			t.Errorf("no note says %q:\n%s", says, notes)
		}
	}
	if after := listing(t, root); after != before {
		t.Errorf("what was imported has changed:\n%s\n%s", before, after)
	}

	must(t, b.Commit(ctx))
	must(t, b.Close())
	if _, start := begun(t, Config{Dir: dir, Import: root}); len(start.Clients) != 0 || len(start.Notes) != 0 {
		t.Errorf("imported again: %+v", start)
	}
}

func sameSet(want string, got []string) bool {
	if want == "" {
		return len(got) == 0
	}
	for _, h := range got {
		if !strings.Contains("|"+want+"|", "|"+h+"|") {
			return false
		}
	}
	return len(got) == len(strings.Split(want, "|"))
}

func listing(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&b, path, info.ModTime())
		}
		return err
	}))
	return b.String()
}

func TestImportOfNothing(t *testing.T) {
	_, start := begun(t, Config{Dir: t.TempDir(), Import: filepath.Join(t.TempDir(), "none")})
	if len(start.Clients) != 0 || len(start.Notes) != 0 {
		t.Errorf("%+v", start)
	}
}

// TestImportCutOff: a first start that is cut off imports again, and all of it.
func TestImportCutOff(t *testing.T) {
	root := t.TempDir()
	for _, owner := range []string{"a", "b"} {
		ganeshaDir(t, filepath.Join(root, "v4recov"), ganeshaName(owner))
	}
	backend := func(d *crashDisk) recovery.Backend {
		b := plain(d).(*Backend)
		b.cfg.Import = root
		return b
	}
	e := enumerate(backend)
	var imported []recovery.Client
	for _, owner := range []string{"a", "b"} {
		imported = append(imported, recovery.Client{Owner: owner, Addr: "::ffff:192.0.2.7", Exclusive: true})
	}
	e.History(newCrashDisk(), "begin put:a commit", imported...)
	if e.Failure != "" {
		t.Error(e.Failure)
	}
	t.Logf("%d states", e.Seen())
}

func FuzzDecodeRecord(f *testing.F) {
	body := record{Client: recovery.Client{Owner: "a", Handles: []string{"h"}, Revoked: true}, run: 7}.encode()
	f.Add(body[:strings.LastIndex(string(body), "crc32c")])
	f.Add([]byte("tidegate client 1\nowner \"\"\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := decodeRecord(seal(content))
		if err != nil {
			return
		}
		again, err := decodeRecord(r.encode())
		if err != nil || !again.Equal(r.Client) || again.run != r.run || again.removed != r.removed {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
