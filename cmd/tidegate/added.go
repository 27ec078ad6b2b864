package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/tidegate/tidegate/internal/config"
)

// Exports that were added while a server ran are kept in its state directory, each
// in a file that is called by its id, in the language of the configuration. They
// are read after the configuration, at each start and reload.

const addedExt = ".conf"

func (s *settings) addedDir() string { return filepath.Join(s.stateDir, "exports.d") }

func (s *settings) addedFile(id uint64) string {
	return filepath.Join(s.addedDir(), strconv.FormatUint(id, 10)+addedExt)
}

// addedFiles are the files of all exports that were added.
func (s *settings) addedFiles() (files []string, err error) {
	entries, err := os.ReadDir(s.addedDir())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the exports that were added cannot be read: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("the exports that were added cannot be read: %w; run this as the user of that directory, or give --state-dir another", err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && filepath.Ext(e.Name()) == addedExt {
			files = append(files, filepath.Join(s.addedDir(), e.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}

// addExport adds the export that text is a block of, for good.
func (g *gateway) addExport(ctx context.Context, text []byte) (outcome, error) {
	id, err := idOf(text)
	if err != nil {
		return outcome{}, err
	}
	name := strconv.FormatUint(id, 10)
	return g.change(ctx, name, func() (func() error, error) {
		if x, ok := g.exports.find(name); ok {
			return nil, fmt.Errorf("there is an export %s already, of %s", name, x.From)
		}
		return g.replaceAdded(id, text)
	})
}

// updateExport puts text in place of an export that was added.
func (g *gateway) updateExport(ctx context.Context, text []byte) (outcome, error) {
	id, err := idOf(text)
	if err != nil {
		return outcome{}, err
	}
	name := strconv.FormatUint(id, 10)
	return g.change(ctx, name, func() (func() error, error) {
		if err := g.wasAdded(name); err != nil {
			return nil, err
		}
		return g.replaceAdded(id, text)
	})
}

// removeExport removes an export that was added, by its id or place.
func (g *gateway) removeExport(ctx context.Context, name string) (outcome, error) {
	return g.change(ctx, "", func() (func() error, error) {
		if err := g.wasAdded(name); err != nil {
			return nil, err
		}
		x, _ := g.exports.find(name)
		return g.replaceAdded(uint64(x.ID), nil)
	})
}

// wasAdded says why an export cannot be changed but where it is from.
func (g *gateway) wasAdded(name string) error {
	x, ok := g.exports.find(name)
	if !ok {
		return noExport(name)
	}
	if !strings.HasPrefix(x.From, g.running.addedFile(uint64(x.ID))+":") {
		return fmt.Errorf("export %s is of %s: change it there, and run 'tidegate reload'; of flags, start the server anew", name, x.From)
	}
	return nil
}

func noExport(name string) error {
	return fmt.Errorf("there is no export %q; 'tidegate export list' shows those that there are", name)
}

// idOf reads the number of the one export that text is a block of.
func idOf(text []byte) (uint64, error) {
	c := config.LoadExport("the export given", text)
	if err := faultsOf(c); c.Failed() {
		return 0, err
	}
	return c.Exports[0].ID, nil
}

// replaceAdded makes text the file of an export, or with nil removes that.
func (g *gateway) replaceAdded(id uint64, text []byte) (undo func() error, err error) {
	file := g.running.addedFile(id)
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(g.running.addedDir(), 0o700); err != nil {
		return nil, err
	}
	undo = func() error { return replaceFile(file, before) }
	if err := replaceFile(file, text); err != nil {
		return nil, errors.Join(fmt.Errorf("the export cannot be kept: %w; the directory must be writable and have room", err), undo())
	}
	return undo, nil
}

// replaceFile puts text into a file in one step, or with nil removes it; when it
// returns that is on disk.
func replaceFile(file string, text []byte) error {
	if text == nil {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncPath(filepath.Dir(file))
	}
	next := file + "~"
	err := os.WriteFile(next, text, 0o600)
	if err == nil {
		err = syncPath(next)
	}
	if err == nil {
		err = os.Rename(next, file)
	}
	if err != nil {
		os.Remove(next)
		return err
	}
	return syncPath(filepath.Dir(file))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
