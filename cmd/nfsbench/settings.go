//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/cmd/nfsbench/load"
	"github.com/tidegate/tidegate/cmd/nfsbench/meter"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// settings are the flags of all that puts load on a server.
type settings struct {
	ops                         []string
	clients, conns, depth, size int
	rate                        float64
	beside                      []string
	besideDepth                 int
	duration                    time.Duration
	json                        string
	minor, uid, gid             uint32
}

// process names the server's process on this machine.
type process struct {
	pid     int
	metrics string
}

// server is a server under test.
type server struct {
	Name   string
	target load.Target
	meter.Process
}

func (s *settings) flags(cmd *cobra.Command) {
	names := make([]string, 0, 16)
	for _, o := range load.Ops() {
		names = append(names, o.Name)
	}
	f := cmd.Flags()
	f.StringSliceVar(&s.ops, "op", []string{"getattr"}, "operations, one after the other: "+strings.Join(names, ", "))
	f.IntVar(&s.clients, "clients", 1, "clients, with a session each")
	f.IntVar(&s.conns, "conns", 1, "connections of a session")
	f.IntVar(&s.depth, "depth", 8, "requests of a session at a time")
	f.IntVar(&s.size, "files", 64, "files that each of these goes over")
	f.Float64Var(&s.rate, "rate", 0, "operations a second of all together, instead of as many as there can be")
	f.StringSliceVar(&s.beside, "beside", nil, "operations that one more client does at the same time")
	f.IntVar(&s.besideDepth, "beside-depth", 1, "requests at a time of each of these operations")
	f.DurationVar(&s.duration, "duration", 5*time.Second, "time to measure each operation for")
	f.StringVar(&s.json, "json", "", "file for the figures as JSON")
	f.Uint32Var(&s.minor, "minor", 2, "minor version, 1 or 2")
	f.Uint32Var(&s.uid, "uid", 0, "user of the requests, who may write to the export")
	f.Uint32Var(&s.gid, "gid", 0, "the user's group")
}

func (p *process) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&p.pid, "pid", 0, "the server's process on this machine, for its CPU time and memory")
	f.StringVar(&p.metrics, "metrics", "", "URL of the server's metrics, for its allocations, if it is a Go program")
}

// check looks at what the flags say.
func (s *settings) check() error {
	for _, name := range slices.Concat(s.ops, s.beside) {
		if !slices.ContainsFunc(load.Ops(), func(o load.Op) bool { return o.Name == name }) {
			return fmt.Errorf("no operation %q; --help names them all", name)
		}
	}
	for _, flag := range []struct {
		name  string
		value int
	}{{"clients", s.clients}, {"conns", s.conns}, {"depth", s.depth}, {"files", s.size}, {"beside-depth", s.besideDepth}} {
		if flag.value < 1 {
			return fmt.Errorf("--%s %d: at least 1", flag.name, flag.value)
		}
	}
	switch {
	case s.minor != 1 && s.minor != 2:
		return fmt.Errorf("--minor %d: only 1 and 2 have sessions", s.minor)
	case s.rate < 0:
		return fmt.Errorf("--rate %v: not below 0", s.rate)
	case s.duration <= 0:
		return fmt.Errorf("--duration %v: more than nothing", s.duration)
	}
	return nil
}

func (s *settings) job(op string) load.Job {
	return load.Job{Op: op, Clients: s.clients, Conns: s.conns, Depth: s.depth, Files: s.size, Rate: s.rate}
}

// defaultPort is NFS's.
const defaultPort = "2049"

// server reads HOST[:PORT]/export, where an IPv6 address stands in brackets.
func (s *settings) server(name, text string, p process) (server, error) {
	host, export, found := strings.Cut(text, "/")
	if !found || host == "" {
		return server{}, fmt.Errorf("%q is not HOST[:PORT]/export", text)
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), defaultPort)
	}
	if name == "" {
		name = text
	}
	target := load.Target{
		Addr: host, Export: "/" + export, Minor: s.minor,
		Cred: rpc.Cred{Flavor: rpc.AuthSys, UID: s.uid, GID: s.gid},
	}
	return server{Name: name, target: target, Process: meter.Process{PID: p.pid, Metrics: p.metrics}}, nil
}

// named reads NAME=HOST[:PORT]/export[@PID].
func (s *settings) named(text string) (server, error) {
	name, rest, found := strings.Cut(text, "=")
	if !found || name == "" {
		return server{}, fmt.Errorf("%q is not NAME=HOST[:PORT]/export[@PID]", text)
	}
	var p process
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		var err error
		if p.pid, err = strconv.Atoi(rest[at+1:]); err != nil {
			return server{}, fmt.Errorf("%q: %q is no process", text, rest[at+1:])
		}
		rest = rest[:at]
	}
	return s.server(name, rest, p)
}

// servers reads those of a command line.
func (s *settings) servers(args []string) (all []server, err error) {
	for _, arg := range args {
		to, err := s.named(arg)
		if err != nil {
			return nil, err
		}
		all = append(all, to)
	}
	return all, nil
}

// measure measures the operations of one server, one after the other.
func (s *settings) measure(ctx context.Context, to server, out io.Writer) error {
	var all []figure
	printHead(out)
	for _, op := range s.ops {
		b, err := s.begin(ctx, to, op)
		if err != nil {
			return failure{err}
		}
		f, err := b.measure(ctx, s.duration)
		if err = errors.Join(err, b.close(ctx)); err != nil {
			return failure{err}
		}
		f.print(out)
		all = append(all, f)
	}
	return writeJSON(s.json, all)
}
