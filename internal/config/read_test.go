package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Files that hang, or have no end, are faults like others.
func TestReadEndless(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		file, err := os.OpenFile(pipe, os.O_WRONLY, 0) // when it is being read
		if err != nil {
			t.Error(err)
		}
		cancel()
		<-t.Context().Done()
		file.Close()
	}()
	for file, want := range map[string]string{
		pipe:        "error: " + pipe + " cannot be read: context canceled",
		"/dev/zero": "error: /dev/zero is larger than 4 MiB",
	} {
		in := t.Context()
		if file == pipe {
			in = ctx
		}
		c := Sources{}.Load(in, file)
		if len(c.Findings) != 1 || !strings.Contains(c.Findings[0].String(), want) {
			t.Errorf("%s: %v", file, c.Findings)
		}
	}
}
