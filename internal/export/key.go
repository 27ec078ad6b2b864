package export

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tidegate/tidegate/nfs4"
)

// HandleKey returns the key for nfs4.Config.HandleKey that a file keeps, which is
// made, durably and for its owner alone, where there is none. Errors are one line.
func HandleKey(file string) ([]byte, error) {
	key, err := readKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := makeKey(file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("the key for file handles cannot be kept: %w; the directory must be writable and have room", err)
	}
	return readKey(file) // that of whoever came first
}

func readKey(file string) ([]byte, error) {
	key, err := os.ReadFile(file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the key for file handles cannot be read: %w; let the server's user read it", err)
	case len(key) != nfs4.HandleKeySize || bytes.Count(key, []byte{0}) == len(key):
		return nil, fmt.Errorf("%s is damaged: it must have %d random bytes; put it back as it was, or remove it, and clients have to mount anew",
			file, nfs4.HandleKeySize)
	}
	return key, nil
}

// makeKey puts a new key in place whole or not at all, and never over another.
func makeKey(file string) error {
	dir := filepath.Dir(file)
	t, err := os.CreateTemp(dir, ".handle.key.*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	key := make([]byte, nfs4.HandleKeySize)
	rand.Read(key)
	_, err = t.Write(key)
	if err := errors.Join(err, t.Sync(), t.Close()); err != nil {
		return err
	}
	if err := os.Link(t.Name(), file); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
