package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// asProgram makes this test binary the program itself.
const asProgram = "TIDEGATE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is a command that runs the program, called by a name.
func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = name
	cmd.Env = append(os.Environ(), asProgram+"=1", "HOME="+t.TempDir())
	return cmd
}

// limit is for what ought to happen at once.
const limit = 30 * time.Second

// notices is where programs tell systemd of themselves.
type notices struct {
	t    *testing.T
	conn *net.UnixConn
	path string
}

func listenNotices(t *testing.T) *notices {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &notices{t, conn, path}
}

// next returns the next notice, or "" if there is none in time.
func (n *notices) next(patience time.Duration) string {
	n.t.Helper()
	buf := make([]byte, 4096)
	n.conn.SetReadDeadline(time.Now().Add(patience))
	size, err := n.conn.Read(buf)
	if err != nil {
		return ""
	}
	return string(buf[:size])
}

// await demands a notice.
func (n *notices) await(want string) {
	n.t.Helper()
	for {
		switch got := n.next(limit); got {
		case want:
			return
		case "":
			n.t.Fatalf("waited in vain for %s", want)
		}
	}
}
