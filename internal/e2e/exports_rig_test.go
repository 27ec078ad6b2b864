package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// exportsRig is a server whose exports change, with two clients.
type exportsRig struct {
	*testing.T
	s       *server
	monitor string // its address
	conf    string // its configuration's file
	a, b    *client
	dir     string // holds what is exported, below the exports' names
}

// blocks are EXPORT blocks by the name of the export.
type blocks map[string]string

const changingHead = `NFSv4 { Delegations = true; }
EXPORT_DEFAULTS { Access_Type = RW; Squash = none; Delegations = RW; SecType = sys; }
`

// block makes a directory and the EXPORT block for it, with more in it.
func (x exportsRig) block(id int, name, more string) string {
	x.Helper()
	dir := filepath.Join(x.dir, name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		x.Fatal(err)
	}
	return fmt.Sprintf("EXPORT { Export_Id = %d; Path = %s; Pseudo = /%s; FSAL { Name = VFS; } %s }\n", id, dir, name, more)
}

// stay are the exports that no test changes.
func (x exportsRig) stay() blocks {
	return blocks{"one": x.block(1, "one", ""), "two": x.block(2, "two", "")}
}

// write makes the configuration's file hold these exports besides those that stay.
func (x exportsRig) write(more blocks) {
	x.Helper()
	all := x.stay()
	maps.Copy(all, more)
	text := bytes.NewBufferString(changingHead)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text.WriteString(all[name])
	}
	if err := os.WriteFile(x.conf, text.Bytes(), 0o600); err != nil {
		x.Fatal(err)
	}
}

func newExportsRig(t *testing.T) exportsRig {
	t.Helper()
	needGuest(t)
	needTidegate(t)
	x := exportsRig{T: t, monitor: freeAddr(t), conf: filepath.Join(t.TempDir(), "conf"), dir: hostDir(t)}
	x.write(nil)
	x.s = newServer(t).with("--config", x.conf, "--monitor", x.monitor)
	x.s.start()
	x.a, x.b = bootClient(t), bootClient(t)
	x.a.mount(x.s, "/one", "/mnt/one", "vers=4.2")
	x.b.mount(x.s, "/two", "/mnt/two", "vers=4.2,nconnect=4")
	return x
}

// on returns the rig for a subtest.
func (x exportsRig) on(t *testing.T) exportsRig {
	x.T, x.a, x.b = t, x.a.on(t), x.b.on(t)
	return x
}

// ask runs a command that asks the server and must succeed, and returns what it prints.
func (x exportsRig) ask(args ...string) string {
	x.Helper()
	stdout, stderr, status := command(x.T, append(args, "--state-dir", x.s.state)...)
	if status != 0 {
		x.Fatalf("%q: exit status %d: %s", args, status, stderr)
	}
	return stdout
}

// answer is ask with --json.
func answer[T any](x exportsRig, args ...string) (v T) {
	x.Helper()
	if err := json.Unmarshal([]byte(x.ask(append(args, "--json")...)), &v); err != nil {
		x.Fatalf("%q: %v", args, err)
	}
	return v
}

// put adds or updates the export of a block.
func (x exportsRig) put(verb, block string) {
	x.Helper()
	file := filepath.Join(x.TempDir(), "block")
	if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
		x.Fatal(err)
	}
	x.ask("export", verb, file)
}

// places are where the server's exports are.
func (x exportsRig) places() (all []string) {
	x.Helper()
	type listing struct {
		List []struct {
			Pseudo string
			Served bool
		}
	}
	for _, e := range answer[listing](x, "export", "list").List {
		if e.Served {
			all = append(all, e.Pseudo)
		}
	}
	return all
}

// hangUp sends SIGHUP, and waits until an export is there, or is not.
func (x exportsRig) hangUp(place string, there bool) {
	x.Helper()
	if err := x.s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		x.Fatal(err)
	}
	eventually(x.T, "the configuration is read again", limit, func() bool {
		return slices.Contains(x.places(), place) == there
	})
}

// refuses wants a script in a client to fail with that error.
func (c *client) refuses(why syscall.Errno, script string) {
	c.t.Helper()
	if r := c.try("/bin/sh", "-c", script); r.Status == 0 || !strings.Contains(strings.ToLower(string(r.Output)), why.Error()) {
		c.t.Errorf("%s: exit status %d, %q; want %q", script, r.Status, r.Output, why)
	}
}

// number reads what a script prints.
func (c *client) number(script string) uint64 {
	c.t.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(c.sh(script)), 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}
