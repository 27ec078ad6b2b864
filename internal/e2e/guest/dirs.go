package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const stableEntries = 20_000

// bigDir lists a large directory while names come and go: every name that
// stays is listed exactly once. The directory is kept from one run to the next.
func bigDir(c *check) {
	dir := c.dir + "/../stable"
	if err := os.Mkdir(dir, 0o777); err == nil {
		for i := range stableEntries {
			c.must(unix.Mknod(fmt.Sprintf("%s/s%05d", dir, i), unix.S_IFIFO|0o644, 0))
		}
	} else if !errors.Is(err, os.ErrExist) {
		c.must(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprintf("%s/t%d", dir, i%50)
			if i/50%2 == 0 {
				_ = unix.Mknod(name, unix.S_IFIFO|0o644, 0)
			} else {
				_ = os.Remove(name)
			}
		}
	})
	for range 2 {
		c.dropCaches()
		c.stableOnce(dir)
	}
	close(stop)
	wg.Wait()
}

func (c *check) stableOnce(dir string) {
	f, err := os.Open(dir)
	c.must(err)
	defer f.Close()
	seen := map[string]int{}
	for {
		batch, err := f.Readdirnames(500)
		for _, name := range batch {
			seen[name]++
		}
		if err == io.EOF {
			break
		}
		c.must(err)
	}
	once := 0
	for name, n := range seen {
		if !strings.HasPrefix(name, "s") {
			continue
		}
		if n == 1 {
			once++
		} else {
			c.errorf("%s is listed %d times", name, n)
		}
	}
	if once != stableEntries {
		c.errorf("%d names listed once, want %d", once, stableEntries)
	}
}

func df(c *check) {
	var st unix.Statfs_t
	c.must(unix.Statfs(c.dir, &st))
	if st.Blocks == 0 || st.Bsize <= 0 || st.Bfree > st.Blocks || st.Bavail > st.Bfree || st.Ffree > st.Files || st.Namelen != 255 {
		c.errorf("implausible: %+v", st)
	}
	c.write("f", randomBytes(7, 8<<20))
	var after unix.Statfs_t
	c.dropCaches()
	c.must(unix.Statfs(c.dir, &after))
	if after.Blocks != st.Blocks {
		c.errorf("%d blocks in all, were %d", after.Blocks, st.Blocks)
	}
	c.command("df", "-k", c.dir)
	c.command("df", "-i", c.dir)
}
