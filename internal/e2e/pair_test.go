package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Two clients share one tree.
func TestTwoClients(t *testing.T) {
	needGuest(t)
	s := startServer(t, export{hostDir(t), "/vfs"})
	a, b := bootClient(t), bootClient(t)
	for _, vers := range []string{"4.1", "4.2"} {
		t.Run("v"+vers, func(t *testing.T) {
			a, b := a.on(t), b.on(t)
			for _, c := range []*client{a, b} {
				c.mount(s, "/vfs", "/mnt", "actimeo=1,vers="+vers)
			}
			for name, f := range map[string]func(a, b *client){
				"closeToOpen": closeToOpen,
				"names":       sharedNames,
				"race":        sharedRace,
				"append":      sharedAppend,
				"frozen":      frozen,
			} {
				t.Run(name, func(t *testing.T) { f(a.on(t), b.on(t)) })
			}
			for _, c := range []*client{a, b} {
				c.run("/bin/umount", "/mnt")
			}
		})
	}
}

// What one has written and closed, the other reads when it opens.
func closeToOpen(a, b *client) {
	a.run("/bin/mkdir", "/mnt/cto")
	for i := range 20 {
		writer, reader := a, b
		if i%2 == 1 {
			writer, reader = b, a
		}
		want := strings.Repeat(strconv.Itoa(i), 1000+i*997)
		writer.sh(fmt.Sprintf(`head -c %d /dev/zero | tr '\0' x >/mnt/cto/other; printf %s >/mnt/cto/f`, i*10_000, want))
		if got := reader.run("/bin/cat", "/mnt/cto/f"); got != want {
			a.t.Fatalf("round %d: read %d bytes %.10q..., want %d bytes %.10q...", i, len(got), got, len(want), want)
		}
	}
	a.run("/bin/rm", "-r", "/mnt/cto")
}

// Names that one makes, moves and removes do so for the other.
func sharedNames(a, b *client) {
	a.sh(`mkdir -p /mnt/names/d; echo one >/mnt/names/f; ln -s f /mnt/names/s`)
	b.sh(`cd /mnt/names; test "$(cat f)" = one; test "$(readlink s)" = f; mv f d/g; rm s`)
	eventually(a.t, "the other client's rename shows", 10*time.Second, func() bool {
		return a.try("/bin/sh", "-c", `cd /mnt/names && test ! -e f && test ! -L s && test "$(cat d/g)" = one`).Status == 0
	})
	a.sh(`rm -r /mnt/names`)
	eventually(a.t, "the other client's removal shows", 10*time.Second, func() bool {
		return b.try("/usr/bin/test", "-e", "/mnt/names").Status == 1
	})
}

// Of two clients that make the same directory, one succeeds.
func sharedRace(a, b *client) {
	const names = 100
	a.run("/bin/mkdir", "/mnt/race")
	race := fmt.Sprintf(`cd /mnt/race; n=0; for i in $(seq %d); do mkdir $i 2>/dev/null && n=$((n+1)); done; echo $n`, names)
	won := make(chan string, 2)
	for _, c := range []*client{a, b} {
		go func() { won <- string(c.try("/bin/sh", "-c", race).Output) }()
	}
	total := 0
	for range 2 {
		n, err := strconv.Atoi(strings.TrimSpace(<-won))
		if err != nil {
			a.t.Fatal(err)
		}
		total += n
	}
	if total != names {
		a.t.Errorf("%d directories were made, want %d", total, names)
	}
	a.run("/bin/rm", "-r", "/mnt/race")
}

func sharedAppend(a, b *client) {
	var want strings.Builder
	for i := range 20 {
		c := a
		if i%2 == 1 {
			c = b
		}
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		c.sh("printf '" + strings.TrimSpace(line) + `\n' >>/mnt/appended`)
	}
	for _, c := range []*client{a, b} {
		if got := c.run("/bin/cat", "/mnt/appended"); got != want.String() {
			a.t.Errorf("read %q", got)
		}
	}
	a.run("/bin/rm", "/mnt/appended")
}

// A client that stands still holds up no other, and goes on when it wakes.
func frozen(a, b *client) {
	a.sh(`mkdir /mnt/frozen; echo before >/mnt/frozen/f`)
	if err := a.Freeze(); err != nil {
		a.t.Fatal(err)
	}
	b.sh(`cd /mnt/frozen; test "$(cat f)" = before; echo during >g; mv g h; echo after >f`)
	if err := a.Thaw(); err != nil {
		a.t.Fatal(err)
	}
	a.sh(`cd /mnt/frozen; test "$(cat f)" = after; test "$(cat h)" = during; rm -r /mnt/frozen`)
}
