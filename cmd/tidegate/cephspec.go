package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// cephSpec is a tree of CephFS; on the command line ceph:[user@]fsname[:path].
type cephSpec struct {
	user, name, path string
	key              string // "": in a keyring
	conf             string // Ceph's configuration; "": its default
}

func (c cephSpec) String() string { return cephPrefix + c.user + "@" + c.name + ":" + c.path }

const cephPrefix = "ceph:"

// parseCeph reads what follows the prefix.
func parseCeph(text string) (cephSpec, error) {
	c := cephSpec{path: "/"}
	rest := text
	if user, after, ok := strings.Cut(text, "@"); ok {
		c.user, rest = strings.TrimPrefix(user, "client."), after
	}
	name, dir, placed := strings.Cut(rest, ":")
	c.name = name
	if placed {
		c.path = dir
	}
	if name == "" || !path.IsAbs(c.path) || path.Clean(c.path) != c.path {
		return c, fmt.Errorf("--export %q: write --export ceph:[user@]fsname[:/path][=/name]", cephPrefix+text)
	}
	return c, nil
}

// place is where it is offered without a place of its own.
func (c cephSpec) place() string { return path.Join("/", c.name, c.path) }

// node is this server's name among gateways: given, or that in its cluster, by
// which the others fence it, or made up once for the state directory.
func (s *settings) node() (string, error) {
	if s.nodeID != "" || s.clustered() {
		return s.clusterNode()
	}
	file := filepath.Join(s.stateDir, "node-id")
	text, err := os.ReadFile(file)
	name := strings.TrimSpace(string(text))
	switch {
	case err == nil && name == "":
		return "", fmt.Errorf("this server's name: %s is empty; remove it, or give the name with --node-id", file)
	case err == nil:
		return name, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("this server's name: %w; give it with --node-id", err)
	}
	if err := makeName(file); err != nil {
		return "", fmt.Errorf("this server's name cannot be kept: %w; give it with --node-id", err)
	}
	return s.node()
}

// makeName puts a new name into a file, unless there is one: exports are opened at
// the same time, and all go by the first.
func makeName(file string) error {
	var id [8]byte
	rand.Read(id[:])
	name := hex.EncodeToString(id[:])
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	own := file + "." + name
	defer os.Remove(own)
	if err := replaceFile(own, []byte(name)); err != nil {
		return err
	}
	if err := os.Link(own, file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncPath(filepath.Dir(file))
}
