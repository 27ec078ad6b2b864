package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cephCoherence has a client of the server and another of CephFS use the same
// files.
func cephCoherence(x cephRig) {
	x.each(map[string]func(cephRig){"data": cephSharedData, "names": cephSharedNames, "locks": cephSharedLocks})
}

// cephDelegations has them do so while the client of the server gets delegations.
func cephDelegations(x cephRig) {
	x.writeOutside("first", "first")
	x.c.delegated(toRead, "/mnt/first") // from now on it gets them
	cephCoherence(x)
	x.each(map[string]func(cephRig){"to read": cephReadDelegation})
}

func (x cephRig) each(parts map[string]func(cephRig)) {
	for name, f := range parts {
		x.Run(name, func(t *testing.T) { f(x.on(t)) })
	}
}

// outside is the path of a name beside the server.
func (x cephRig) outside(name string) string { return filepath.Join(x.out, name) }

func (x cephRig) readOutside(name, want string) {
	x.Helper()
	if got, err := os.ReadFile(x.outside(name)); err != nil || string(got) != want {
		x.Errorf("%s beside the server: %v, %d bytes %.20q, want %d bytes %.20q", name, err, len(got), got, len(want), want)
	}
}

func (x cephRig) readInside(name, want string) {
	x.Helper()
	if got := x.c.run("/bin/cat", "/mnt/"+name); got != want {
		x.Errorf("%s by the server: %d bytes %.20q, want %d bytes %.20q", name, len(got), got, len(want), want)
	}
}

func (x cephRig) writeOutside(name, text string) {
	x.Helper()
	x.must("write beside the server", os.WriteFile(x.outside(name), []byte(text), 0o666))
}

// What one has written and closed, the other reads.
func cephSharedData(x cephRig) {
	for i := range 10 {
		text := strings.Repeat(strconv.Itoa(i), 1+i*i*3000)
		x.writeOutside("shared", text)
		x.readInside("shared", text)
		x.c.sh("printf %s more >>/mnt/shared")
		x.readOutside("shared", text+"more")
	}
	x.must("truncate", os.Truncate(x.outside("shared"), 3))
	x.readInside("shared", "999")
	x.c.sh("truncate -s 1 /mnt/shared")
	x.readOutside("shared", "9")
}

// Names that one makes, moves and removes do so for the other.
func cephSharedNames(x cephRig) {
	x.must("mkdir", os.Mkdir(x.outside("names"), 0o777))
	x.writeOutside("names/a", "a")
	x.readInside("names/a", "a")
	x.c.sh("cd /mnt/names; mv a b; ln -s b s; mkdir d")
	x.readOutside("names/s", "a")
	if _, err := os.Stat(x.outside("names/a")); !os.IsNotExist(err) {
		x.Errorf("what was moved: %v", err)
	}
	x.must("rename", os.Rename(x.outside("names/b"), x.outside("names/d/c")))
	x.must("remove", os.Remove(x.outside("names/s")))
	eventually(x.T, "the client sees it", 10*time.Second, func() bool {
		return x.c.run("/bin/ls", "/mnt/names") == "d\n" && x.c.run("/bin/ls", "/mnt/names/d") == "c\n"
	})
	x.c.sh("rm -r /mnt/names")
	if _, err := os.Stat(x.outside("names")); !os.IsNotExist(err) {
		x.Errorf("what was removed: %v", err)
	}
}

// A lock of one is in the way of the other.
func cephSharedLocks(x cephRig) {
	f, err := os.Create(x.outside("locked"))
	x.must("create beside the server", err)
	defer f.Close()
	p := x.c.puppet("p", "/mnt/locked")
	want := func(what string, got, want error) {
		x.Helper()
		if got != want {
			x.Errorf("%s beside the server: %v, want %v", what, got, want)
		}
	}
	p.wants("ok", "lock w 0 10")
	p.wants("ok", "lock r 100 10")
	want("a lock in the way", lockOutside(f, unix.F_WRLCK, 9, 1), unix.EAGAIN)
	want("a lock for reading", lockOutside(f, unix.F_RDLCK, 105, 1), nil)
	want("a lock for writing", lockOutside(f, unix.F_WRLCK, 105, 1), unix.EAGAIN)
	want("a lock elsewhere", lockOutside(f, unix.F_WRLCK, 10, 10), nil)
	p.wants("w 10 10", "test r 19 0")
	p.wants("r 105 1", "test w 105 5")
	p.wants("free", "test r 100 0")
	p.wants("free", "test w 0 10")
	p.wants("busy", "lock w 19 1")
	p.wants("busy", "lock w 100 10")
	p.wants("ok", "unlock 0 10")
	want("a lock given back", lockOutside(f, unix.F_WRLCK, 0, 10), nil)
	p.wants("busy", "lock r 0 1")
	granted := make(chan *puppet, 1)
	p.begin("wait w 0 10", granted)
	want("unlock", lockOutside(f, unix.F_UNLCK, 0, 0), nil)
	first(x.T, granted, 30*time.Second)
	p.quit()
	want("a lock that ended with its owner", lockOutside(f, unix.F_WRLCK, 0, 0), nil)
}

// Who writes beside the server ends a delegation to read.
func cephReadDelegation(x cephRig) {
	x.writeOutside("read", "one")
	x.c.delegated(toRead, "/mnt/read")
	x.c.returns("a writer beside the server", 1, func() { x.writeOutside("read", "two") })
	x.readInside("read", "two")
}
