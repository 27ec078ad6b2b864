//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/cmd/nfsbench/load"
)

// holding is what one server's process had resident, in bytes.
type holding struct {
	Server  string `json:"server"`
	Entries int    `json:"entries"` // files that were looked up
	Idlers  int    `json:"idlers"`  // clients with a session
	Depth   int    `json:"depth"`   // requests of 1 MiB at a time

	Start  uint64 `json:"start"`
	Files  uint64 `json:"files"`  // with the files looked up
	Idle   uint64 `json:"idle"`   // with the clients there
	Stream uint64 `json:"stream"` // right after a stream
}

func memoryCommand() *cobra.Command {
	var s settings
	var idlers int
	cmd := &cobra.Command{
		Use:   "memory NAME=HOST[:PORT]/directory@PID ...",
		Short: "Look up all files of a directory, then come as many clients, then read a stream, and tell what servers hold",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("which directories? nfsbench memory NAME=HOST[:PORT]/directory@PID ...")
			}
			if idlers < 0 {
				return fmt.Errorf("--idlers %d: not below 0", idlers)
			}
			servers, err := s.servers(args)
			if err == nil {
				err = s.check()
			}
			if err != nil {
				return err
			}
			var all []holding
			for _, of := range servers {
				h, err := s.hold(cmd.Context(), of, idlers, cmd.OutOrStdout())
				if err != nil {
					return failure{fmt.Errorf("%s: %w", of.Name, err)}
				}
				all = append(all, h)
			}
			return writeJSON(s.json, all)
		},
	}
	s.flags(cmd)
	cmd.Flags().IntVar(&idlers, "idlers", 2000, "clients with a session each that do nothing")
	return cmd
}

// hold does to one server what takes memory, one thing after the other.
func (s *settings) hold(ctx context.Context, of server, idlers int, out io.Writer) (h holding, err error) {
	h = holding{Server: of.Name, Idlers: idlers, Depth: s.depth}
	if h.Start, err = of.Memory(); err != nil {
		return h, err
	}
	if h.Entries, err = load.Visit(ctx, of.target); err != nil {
		return h, err
	}
	if h.Files, err = of.Memory(); err != nil {
		return h, err
	}
	if h.Idle, err = idle(ctx, of, idlers); err != nil {
		return h, err
	}
	if h.Stream, err = s.stream(ctx, of); err != nil {
		return h, err
	}
	fmt.Fprintf(out, "%s: %d MiB at the start, %d MiB with %d files, %d MiB with %d clients, %d MiB after a stream\n",
		h.Server, h.Start>>20, h.Files>>20, h.Entries, h.Idle>>20, h.Idlers, h.Stream>>20)
	return h, nil
}

// idle is the memory with so many clients.
func idle(ctx context.Context, of server, idlers int) (uint64, error) {
	end, err := load.Idle(ctx, of.target, idlers)
	if err != nil {
		return 0, err
	}
	defer end()
	return of.Memory()
}

// stream is the memory after 1 MiB at a time was read from files in the directory.
func (s *settings) stream(ctx context.Context, of server) (uint64, error) {
	one := *s
	one.clients, one.conns = 1, 1
	t, err := one.begin(ctx, of, "read1m")
	if err != nil {
		return 0, err
	}
	f, err := t.measure(ctx, s.duration)
	return f.Memory, errors.Join(err, t.close(ctx))
}
