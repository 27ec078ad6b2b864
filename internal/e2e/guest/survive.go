package main

import (
	"bytes"
	"errors"
	"os"
	"strconv"
)

const (
	survivors   = 600
	heldEntries = 1000
)

// survive writes files one after another while the server comes and goes, and
// holds a file open and a directory half read meanwhile.
func survive(c *check) {
	c.must(os.Mkdir(c.path("held"), 0o755))
	for i := range heldEntries {
		c.must(os.Symlink("x", c.path("held", strconv.Itoa(i))))
	}
	c.dropCaches()
	held, err := os.Open(c.path("held"))
	c.must(err)
	defer held.Close()
	names, err := held.Readdirnames(10)
	c.must(err)
	log, err := os.Create(c.path("log"))
	c.must(err)

	c.must(os.Mkdir(c.path("copy"), 0o755))
	for i := range survivors {
		c.must(os.WriteFile(c.copied(i), survivor(i), 0o644))
		_, err := log.Write(survivor(i))
		c.must(err)
	}
	rest, err := held.Readdirnames(-1)
	c.must(err)
	seen := map[string]bool{}
	for _, name := range append(names, rest...) {
		seen[name] = true
	}
	if len(seen) != heldEntries || len(names)+len(rest) != heldEntries {
		c.errorf("%d names listed, %d different; want %d", len(names)+len(rest), len(seen), heldEntries)
	}
	c.must(errors.Join(log.Sync(), log.Close()))
	c.dropCaches()
	written, err := os.ReadFile(log.Name())
	c.must(err)
	for i := range survivors {
		c.contents(c.copied(i), survivor(i))
		n := len(survivor(i))
		if len(written) < n || !bytes.Equal(written[:n], survivor(i)) {
			c.errorf("record %d of the file held open is not what was written", i)
			break
		}
		written = written[n:]
	}
}

func (c *check) copied(i int) string { return c.path("copy", strconv.Itoa(i)) }

func survivor(i int) []byte { return randomBytes(uint64(i), 1000+i*131%40_000) }
