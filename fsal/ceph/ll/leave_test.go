//go:build ceph

package ll

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// TestLeave has the dynamic linker tell what it initializes and destroys in a program
// that ends in order: nothing of Ceph's libraries is destroyed, which threads may use.
func TestLeave(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "LD_DEBUG=files")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var made, destroyed int
	for line := range bytes.Lines(out) {
		switch ours := bytes.Contains(line, []byte("ceph")); {
		case ours && bytes.Contains(line, []byte("calling init:")):
			made++
		case ours && bytes.Contains(line, []byte("calling fini:")):
			destroyed++
			t.Errorf("%s", bytes.TrimSpace(line))
		}
	}
	if made == 0 || destroyed > 0 {
		t.Errorf("%d of Ceph's libraries were initialized, %d destroyed", made, destroyed)
	}
}
