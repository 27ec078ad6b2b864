package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What many write while a log is moved away and opened anew, again and again, is all
// there, each line once and whole.
func TestLogMoves(t *testing.T) {
	const writers, rounds = 8, 200
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	log, err := os.Create(filepath.Join(dir, "first"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var all sync.WaitGroup
	var moved atomic.Bool
	var written [writers]int
	for i := range writers {
		all.Go(func() {
			for ; !moved.Load(); written[i]++ {
				fmt.Fprintf(log, "%d %d %s\n", i, written[i], strings.Repeat("x", 100*i))
			}
		})
	}
	for round := range rounds {
		if err := leadTo(path, int(log.Fd()), syscall.O_NONBLOCK); err != nil {
			t.Error(err)
		}
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, round)); err != nil {
			t.Error(err)
		}
	}
	moved.Store(true)
	all.Wait()
	var seen [writers]int
	for round := -1; round < rounds; round++ {
		file := filepath.Join(dir, "first")
		if round >= 0 {
			file = fmt.Sprintf("%s.%d", path, round)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var who, n int
			if _, err := fmt.Sscan(string(line), &who, &n); err != nil || n != seen[who] ||
				string(line) != fmt.Sprintf("%d %d %s\n", who, n, strings.Repeat("x", 100*who)) {
				t.Fatalf("%s: after %d lines of each: %q", file, seen, line)
			}
			seen[who]++
		}
	}
	if seen != written {
		t.Errorf("%d lines of each were written, %d are there", written, seen)
	}
}

// A log that cannot be opened anew goes on where it was.
func TestLogStays(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{dir, pipe, filepath.Join(dir, "none", "log")} {
		if err := leadTo(to, int(log.Fd()), syscall.O_NONBLOCK); err == nil || !strings.Contains(err.Error(), to) {
			t.Errorf("%s: %v", to, err)
		}
	}
	if _, err := log.WriteString("on"); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(log.Name()); string(text) != "on" {
		t.Errorf("the log is %q", text)
	}
}

// At SIGHUP and "tidegate reload" the log of -L is opened anew; where that cannot be,
// the one before says so, in one line.
func TestLogReopened(t *testing.T) {
	g := newGanesha(t)
	cmd := g.foreground()
	g.serves()
	old := g.log + ".1"
	move := func(to string) {
		t.Helper()
		if err := os.Rename(g.log, to); err != nil {
			t.Fatal(err)
		}
	}
	hangUp := func() { cmd.Process.Signal(syscall.SIGHUP) }
	move(old)
	hangUp()
	g.says(g.log, "configuration reloaded")
	if info, err := os.Stat(g.log); err != nil {
		t.Error(err)
	} else if info.Mode()&^0o640 != 0 {
		t.Errorf("the mode of the new log is %v", info.Mode())
	}
	if text, _ := os.ReadFile(old); !bytes.Contains(text, []byte("listening")) || bytes.Contains(text, []byte("reloaded")) {
		t.Errorf("the log before: %s", text)
	}
	move(old)
	if out, err := program(t, "tidegate", "reload", "--state-dir", g.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g.says(g.log, "configuration reloaded")
	move(old)
	if err := os.Mkdir(g.log, 0o700); err != nil {
		t.Fatal(err)
	}
	hangUp()
	text := g.says(old, "reloaded", "reloaded")
	if n := strings.Count(text, "goes on"); n != 1 || !strings.Contains(text, g.log+": is a directory") {
		t.Errorf("of a log that cannot be opened the one before says: %s", text)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// says waits until all that is in a file, in that order, and returns its text.
func (g *ganesha) says(file string, all ...string) string {
	g.t.Helper()
	for end := time.Now().Add(limit); ; <-time.After(10 * time.Millisecond) {
		text, _ := os.ReadFile(file)
		rest, found := string(text), true
		for _, want := range all {
			var ok bool
			_, rest, ok = strings.Cut(rest, want)
			found = found && ok
		}
		if found {
			return string(text)
		}
		if time.Now().After(end) {
			g.t.Fatalf("%s lacks %q: %s", file, all, text)
		}
	}
}
