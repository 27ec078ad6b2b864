// Package agent is what the host and a guest say to each other: the host sends
// commands over one connection, the guest runs them and sends back what they
// printed.
package agent

import (
	"context"
	"errors"
	"net"
	"net/rpc"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Command is a program to run in the guest.
type Command struct {
	Args     []string
	Dir      string
	UID, GID uint32
	Limit    time.Duration // 0: a minute
}

// Result is how a Command ended.
type Result struct {
	Output  []byte // standard output and error as they came
	Status  int    // exit status; -1 if it was killed
	Elapsed time.Duration
}

// Agent runs commands, each in a goroutine of its own.
type Agent struct{}

// Run runs c. A command that fails is no error; one that cannot start is.
func (Agent) Run(c Command, r *Result) error {
	if len(c.Args) == 0 {
		return errors.New("no command")
	}
	if c.Limit == 0 {
		c.Limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.UID, Gid: c.GID}}
	cmd.WaitDelay = time.Second
	start := time.Now()
	out, err := cmd.CombinedOutput()
	*r = Result{Output: out, Elapsed: time.Since(start)}
	if cmd.ProcessState == nil {
		return err
	}
	r.Status = cmd.ProcessState.ExitCode()
	if ctx.Err() != nil {
		r.Output = append(r.Output, "killed after "+c.Limit.String()+"\n"...)
	}
	return nil
}

// Serve runs what comes over conn until it is closed; commands may still run then.
func Serve(conn net.Conn) error {
	s := rpc.NewServer()
	if err := s.Register(Agent{}); err != nil {
		return err
	}
	w := &watched{Conn: conn, ended: make(chan struct{})}
	go s.ServeConn(w)
	<-w.ended
	return nil
}

// watched is a connection that says when nothing more can be read from it.
type watched struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		w.once.Do(func() { close(w.ended) })
	}
	return n, err
}

// Client is the host's end of a connection to an Agent.
type Client struct{ rpc *rpc.Client }

// NewClient returns the host's end of conn.
func NewClient(conn net.Conn) *Client { return &Client{rpc.NewClient(conn)} }

// Run runs c in the guest and waits for its end or ctx's.
func (c *Client) Run(ctx context.Context, cmd Command) (Result, error) {
	var r Result
	call := c.rpc.Go("Agent.Run", cmd, &r, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return r, call.Error
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// Close ends the connection, and with it the guest.
func (c *Client) Close() error { return c.rpc.Close() }
