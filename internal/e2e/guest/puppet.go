package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Puppet is a process that holds a file open and does with it what others
// tell it:
//
//	guest puppet NAME FILE
//	guest tell NAME COMMAND [ARGUMENT...]
//
// It is the owner of what it locks for as long as it lives. Commands may run
// side by side.
type Puppet struct {
	f     *os.File
	stage net.Listener
	probe *probe
	nag   *nag
}

// moves maps each command to its method.
var moves = map[string]func(*Puppet, moveArgs) (string, error){
	"lock":    (*Puppet).lock,
	"wait":    (*Puppet).wait,
	"unlock":  (*Puppet).unlock,
	"test":    (*Puppet).test,
	"flock":   (*Puppet).flock,
	"write":   (*Puppet).write,
	"read":    (*Puppet).read,
	"sync":    (*Puppet).sync,
	"fill":    (*Puppet).fill,
	"verify":  (*Puppet).verify,
	"probe":   (*Puppet).startProbe,
	"probing": (*Puppet).probing,
	"probed":  (*Puppet).endProbe,
	"nag":     (*Puppet).startNag,
	"nagged":  (*Puppet).endNag,
	"quit":    (*Puppet).quit,
}

// Do does what args, a command and its arguments, tell.
func (p *Puppet) Do(args []string, answer *string) (err error) {
	move := moves[args[0]]
	if move == nil {
		return fmt.Errorf("%q: no such command", args[0])
	}
	*answer, err = move(p, args[1:])
	return err
}

// moveArgs are a command's arguments.
type moveArgs []string

func (a moveArgs) text(i int) string {
	if i < len(a) {
		return a[i]
	}
	return ""
}

// number returns an argument, or 0 where there is none.
func (a moveArgs) number(i int) int64 {
	n, _ := strconv.ParseInt(a.text(i), 10, 64)
	return n
}

func stageOf(name string) string { return filepath.Join("/run", name+".puppet") }

func puppet(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: guest puppet NAME FILE")
	}
	f, err := os.OpenFile(args[1], os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", stageOf(args[0]))
	if err != nil {
		return err
	}
	s := rpc.NewServer()
	if err := s.Register(&Puppet{f: f, stage: l, probe: newProbe(f), nag: newNag(f)}); err != nil {
		return err
	}
	var scenes sync.WaitGroup
	defer scenes.Wait()
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		} else if err != nil {
			return err
		}
		scenes.Go(func() { s.ServeConn(conn) })
	}
}

// tell prints the puppet's answer. It waits until there is a puppet.
func tell(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: guest tell NAME COMMAND [ARGUMENT...]")
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	conn, err := net.Dial("unix", stageOf(args[0]))
	for errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		<-tick.C
		conn, err = net.Dial("unix", stageOf(args[0]))
	}
	if err != nil {
		return err
	}
	c := rpc.NewClient(conn)
	defer c.Close()
	var answer string
	if err := c.Call("Puppet.Do", args[1:], &answer); err != nil {
		return err
	}
	fmt.Println(answer)
	return nil
}

// quit ends the process, and with it what it holds.
func (p *Puppet) quit(moveArgs) (string, error) { return "ok", p.stage.Close() }

var lockKinds = map[string]int16{"r": unix.F_RDLCK, "w": unix.F_WRLCK}

// fcntl sets the process's own lock, as opposed to that of the open file.
func (p *Puppet) fcntl(command int, kind int16, from, n int64) (string, error) {
	for {
		err := unix.FcntlFlock(p.f.Fd(), command, &unix.Flock_t{Type: kind, Start: from, Len: n})
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return "busy", nil
		case err != nil:
			return "", err
		default:
			return "ok", nil
		}
	}
}

// lock KIND FROM LEN: "ok" or "busy".
func (p *Puppet) lock(a moveArgs) (string, error) {
	return p.fcntl(unix.F_SETLK, lockKinds[a.text(0)], a.number(1), a.number(2))
}

// wait KIND FROM LEN
func (p *Puppet) wait(a moveArgs) (string, error) {
	return p.fcntl(unix.F_SETLKW, lockKinds[a.text(0)], a.number(1), a.number(2))
}

// unlock FROM LEN
func (p *Puppet) unlock(a moveArgs) (string, error) {
	return p.fcntl(unix.F_SETLK, unix.F_UNLCK, a.number(0), a.number(1))
}

// test KIND FROM LEN: "free", or the KIND FROM LEN of the lock in the way.
func (p *Puppet) test(a moveArgs) (string, error) {
	l := unix.Flock_t{Type: lockKinds[a.text(0)], Start: a.number(1), Len: a.number(2)}
	if err := unix.FcntlFlock(p.f.Fd(), unix.F_GETLK, &l); err != nil {
		return "", err
	}
	switch l.Type {
	case unix.F_RDLCK:
		return fmt.Sprintf("r %d %d", l.Start, l.Len), nil
	case unix.F_WRLCK:
		return fmt.Sprintf("w %d %d", l.Start, l.Len), nil
	}
	return "free", nil
}

var flocks = map[string]int{
	"r": unix.LOCK_SH | unix.LOCK_NB, "w": unix.LOCK_EX | unix.LOCK_NB,
	"wait-r": unix.LOCK_SH, "wait-w": unix.LOCK_EX, "un": unix.LOCK_UN,
}

// flock HOW, a key of flocks: "ok" or "busy".
func (p *Puppet) flock(a moveArgs) (string, error) {
	for {
		err := unix.Flock(int(p.f.Fd()), flocks[a.text(0)])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return "busy", nil
		case err != nil:
			return "", err
		default:
			return "ok", nil
		}
	}
}

// write OFFSET TEXT
func (p *Puppet) write(a moveArgs) (string, error) {
	_, err := p.f.WriteAt([]byte(a.text(1)), a.number(0))
	return "ok", err
}

// read OFFSET LEN: what is there.
func (p *Puppet) read(a moveArgs) (string, error) {
	b := make([]byte, a.number(1))
	n, err := p.f.ReadAt(b, a.number(0))
	if n == len(b) {
		err = nil
	}
	return string(b[:n]), err
}

func (p *Puppet) sync(moveArgs) (string, error) { return "ok", p.f.Sync() }

const fillSeed = 77

// fill LEN writes bytes that the server has when it returns, and need not have
// made durable.
func (p *Puppet) fill(a moveArgs) (string, error) {
	if _, err := p.f.WriteAt(randomBytes(fillSeed, int(a.number(0))), 0); err != nil {
		return "", err
	}
	const pushed = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	return "ok", unix.SyncFileRange(int(p.f.Fd()), 0, a.number(0), pushed)
}

// verify LEN wants what fill wrote.
func (p *Puppet) verify(a moveArgs) (string, error) {
	want := randomBytes(fillSeed, int(a.number(0)))
	got := make([]byte, len(want))
	if _, err := p.f.ReadAt(got, 0); err != nil {
		return "", err
	}
	if !bytes.Equal(got, want) {
		return "", fmt.Errorf("the first of the bytes that differ is %d", difference(got, want))
	}
	return "ok", nil
}
