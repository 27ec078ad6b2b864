//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/cmd/nfsbench/direct"
	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/vfs"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// limits are flags.
type limits struct {
	dir      string
	name     string
	ceph     string // configuration
	user     string
	duration time.Duration
	json     string
	uid, gid uint32
}

// limitRecord is what a file system does without NFS, as a file holds it.
type limitRecord struct {
	FS    string        `json:"fs"`
	Costs []direct.Cost `json:"costs"`
}

func limitsCommand() *cobra.Command {
	var l limits
	cmd := &cobra.Command{
		Use:   "limits --dir DIR | --ceph CONF",
		Short: "Measure what a file system takes without NFS",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (l.dir == "") == (l.ceph == "") {
				return errors.New("of what? limits --dir DIR, or limits --ceph CONF")
			}
			if l.duration <= 0 {
				return fmt.Errorf("--duration %v: more than nothing", l.duration)
			}
			if err := l.run(cmd.Context(), cmd.OutOrStdout()); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&l.dir, "dir", "", "directory of this machine")
	f.StringVar(&l.name, "name", "", "what to call it")
	f.StringVar(&l.ceph, "ceph", "", "configuration of Ceph, whose default CephFS is measured")
	f.StringVar(&l.user, "user", "", "cephx user, without client.")
	f.DurationVar(&l.duration, "duration", time.Second, "time to measure each operation for")
	f.StringVar(&l.json, "json", "", "file for the figures as JSON")
	f.Uint32Var(&l.uid, "uid", 0, "user who does it, and who may write there")
	f.Uint32Var(&l.gid, "gid", 0, "the user's group")
	return cmd
}

func (l *limits) run(ctx context.Context, out io.Writer) error {
	rec := limitRecord{FS: cmp.Or(l.name, l.dir, "libcephfs")}
	open := func() (fsal.FS, error) { return vfs.Open(vfs.Config{Dir: l.dir}) }
	if l.ceph != "" {
		open = func() (fsal.FS, error) { return openCeph(l.ceph, l.user) }
	}
	fs, err := open()
	if err != nil {
		return err
	}
	defer fs.Close()
	if rec.Costs, err = direct.Measure(ctx, fs, fsal.Cred{UID: l.uid, GID: l.gid}, l.duration); err != nil {
		return err
	}
	for _, c := range rec.Costs {
		fmt.Fprintf(out, "%-12s %10s\n", c.Op, micros(float64(c.CPU)/float64(time.Microsecond)))
	}
	return writeJSON(l.json, rec)
}

func echoCommand() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:   "echo",
		Short: "Serve the procedure NULL and nothing else, to be measured with --op null",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				return fmt.Errorf("--listen %s: %w", addr, err)
			}
			return echo(cmd.Context(), l)
		},
	}
	cmd.Flags().StringVar(&addr, "listen", "127.0.0.1:20488", "address to listen on")
	return cmd
}

// echo answers every call with nothing, until ctx ends.
func echo(ctx context.Context, l net.Listener) error {
	const nfs, version = 100003, 4
	s := rpc.NewServer(rpc.Config{Programs: []rpc.Program{{
		Number: nfs, Low: version, High: version, Dispatch: func(*rpc.Call) rpc.Status { return rpc.Success },
	}}})
	err := s.Serve(ctx, l)
	return errors.Join(err, s.Shutdown(context.WithoutCancel(ctx)))
}
