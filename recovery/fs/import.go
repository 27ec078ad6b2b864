package fs

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tidegate/tidegate/recovery"
	"github.com/tidegate/tidegate/recovery/ganesha"
)

// segment is how long nfs-ganesha makes a directory's name before it goes on
// with a directory within.
const segment = 255

// importTrees reads the clients that nfs-ganesha left on record under root:
//
//	root/v4recov[/NODE]/NAME   of its last run
//	root/v4old[/NODE]/NAME     of the one before it, inside a grace period
//
// NAME is ADDR-(LEN:OWNER), a directory, cut into nested ones where it is too
// long. Files in the innermost whose names begin with a byte 0x01 are handles
// of revoked delegations. Nothing is written there.
func importTrees(root string) (clients []recovery.Client, notes []string, err error) {
	if root == "" {
		return nil, nil, nil
	}
	found := make(map[string]recovery.Client)
	for _, name := range []string{"v4old", "v4recov"} { // the later run's record counts
		dir := filepath.Join(root, name)
		var t ganeshaTree
		err := t.readTop(dir, true)
		if errors.Is(err, iofs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, explain(dir, err)
		}
		for _, c := range t.clients {
			found[c.Owner] = c
		}
		notes = append(notes, fmt.Sprintf("imported %d client records from %s", len(t.clients), dir))
		notes = append(notes, t.skipped...)
	}
	for _, c := range found {
		clients = append(clients, c)
	}
	slices.SortFunc(clients, func(c, d recovery.Client) int { return strings.Compare(c.Owner, d.Owner) })
	return clients, notes, nil
}

// ganeshaTree is what one of the two trees holds.
type ganeshaTree struct {
	clients []recovery.Client
	skipped []string
}

func (t *ganeshaTree) readTop(dir string, nodes bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case !e.IsDir():
			t.skip(path, "not a directory")
		case strings.Contains(e.Name(), "-("):
			err = t.readName(path, e.Name(), len(e.Name()))
		case nodes:
			err = t.readTop(path, false)
		default:
			t.skip(path, "not a client's name")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readName reads the directory at path, where name is the client's so far and
// the directory's own name has last bytes of it.
func (t *ganeshaTree) readName(path, name string, last int) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	c, whole := ganesha.ParseName(name)
	inner := false
	for _, e := range entries {
		if encoded, ok := strings.CutPrefix(e.Name(), "\x01"); ok && whole {
			ganesha.AddHandle(&c, encoded)
		} else if e.IsDir() && last == segment {
			inner = true
			if err := t.readName(filepath.Join(path, e.Name()), name+e.Name(), len(e.Name())); err != nil {
				return err
			}
		}
	}
	if whole {
		t.clients = append(t.clients, c)
	} else if !inner {
		t.skip(path, "an incomplete name, which grants nothing")
	}
	return nil
}

func (t *ganeshaTree) skip(path, why string) {
	t.skipped = append(t.skipped, fmt.Sprintf("skipped %s: %s", strconv.QuoteToASCII(path), why))
}
