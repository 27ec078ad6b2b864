package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Exports that are opened at the same time, the first time of all, go by one name,
// which stays.
func TestNodeName(t *testing.T) {
	for range 20 {
		s := &settings{stateDir: filepath.Join(t.TempDir(), "state")}
		const exports = 8
		type answer struct {
			name string
			err  error
		}
		answers := make(chan answer, exports)
		for range exports {
			go func() {
				name, err := s.node()
				answers <- answer{name, err}
			}()
		}
		names := map[string]bool{}
		for range exports {
			a := <-answers
			if a.err != nil {
				t.Fatal(a.err)
			}
			names[a.name] = true
		}
		if name, err := s.node(); err != nil || len(names) != 1 || !names[name] {
			t.Fatalf("called %v, and then %q: %v", names, name, err)
		}
		if list, err := os.ReadDir(s.stateDir); err != nil || len(list) != 1 {
			t.Errorf("the state directory has %v: %v", list, err)
		}
	}
}

func TestNodeNameEmpty(t *testing.T) {
	s := &settings{stateDir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(s.stateDir, "node-id"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if name, err := s.node(); err == nil || !strings.Contains(err.Error(), "--node-id") {
		t.Errorf("called %q: %v", name, err)
	}
}
