package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// detach starts this program anew in the background, with a log that outlives the
// terminal, and returns once it serves.
func (g *ganeshaFlags) detach() error {
	args := append(os.Args[1:len(os.Args):len(os.Args)], "-F")
	if g.log == "" {
		args = append(args, "-L", logSyslog)
	}
	socket := "@tidegate-" + strconv.Itoa(os.Getpid())
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	cmd.Stderr = os.Stderr // for what goes wrong before the log is open
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		if heardOf(conn) {
			close(ready)
		}
	}()
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ready:
		return nil
	case err := <-ended:
		return fmt.Errorf("the server did not start: %w; its log (%s) says why", err, cmp.Or(g.log, logSyslog))
	}
}

// heardOf waits until a server says that it is ready.
func heardOf(conn *net.UnixConn) bool {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return false
		}
		if strings.Contains(string(buf[:n]), daemon.SdNotifyReady) {
			return true
		}
	}
}

// Where logs go that do not go to a file.
const (
	logStderr = "STDERR"
	logStdout = "STDOUT"
	logSyslog = "SYSLOG"

	syslogSocket = "/dev/log"
)

// redirect leads standard error, where the log goes, elsewhere.
func redirect(to string) error {
	switch to {
	case "", logStderr:
		return nil
	case logStdout:
		return unix.Dup3(unix.Stdout, unix.Stderr, 0)
	case logSyslog: // each write is one message
		conn, err := net.Dial("unixgram", syslogSocket)
		if errors.Is(err, os.ErrNotExist) {
			fmt.Fprintln(os.Stderr, "there is no syslog; the log goes to standard error")
			return nil
		}
		if err != nil {
			return fmt.Errorf("-L %s: %w", to, err)
		}
		defer conn.Close()
		file, err := conn.(*net.UnixConn).File()
		if err != nil {
			return err
		}
		defer file.Close()
		return unix.Dup3(int(file.Fd()), unix.Stderr, 0)
	}
	return leadTo(to, unix.Stderr, 0)
}

// reopenLog opens the file anew that redirect led the log to, which may have been
// moved away. After an error the log goes on where it went.
func reopenLog(to string) error {
	switch to {
	case "", logStderr, logStdout, logSyslog:
		return nil
	}
	return leadTo(to, unix.Stderr, unix.O_NONBLOCK) // a pipe that nobody reads is waited for at the start alone
}

// leadTo makes fd write to the end of a file, which is made where there is none. What
// others write to fd meanwhile is whole in one file or the other.
func leadTo(file string, fd, flags int) error {
	opened, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE|flags, 0o640)
	if err != nil {
		return fmt.Errorf("-L: %w", err)
	}
	defer opened.Close()
	from := int(opened.Fd())
	return errors.Join(unix.SetNonblock(from, false), unix.Dup3(from, fd, 0))
}

// holdPID writes this process's id into a file and holds it locked, so that no
// other server takes it, until release, which removes it.
func holdPID(path string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("-p: %w", err)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &lock); err != nil {
		file.Close()
		return nil, fmt.Errorf("-p %s: another server holds it: %w", path, err)
	}
	if err := errors.Join(file.Truncate(0), write(file, strconv.Itoa(os.Getpid())+"\n"), file.Sync()); err != nil {
		file.Close()
		return nil, fmt.Errorf("-p: %w", err)
	}
	return func() {
		os.Remove(path)
		file.Close()
	}, nil
}

func write(file *os.File, text string) error {
	_, err := file.WriteString(text)
	return err
}
