// Command nfsvm runs a command in a throw-away guest, a Linux kernel that sees
// the servers of the host's 127.0.0.1 at $HOST:
//
//	go run ./internal/e2e/nfsvm sh -c 'mount -t nfs4 -o port=20490 $HOST:/export /mnt && ls /mnt'
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/internal/e2e/agent"
	"github.com/tidegate/tidegate/internal/e2e/vm"
)

const (
	memory = 1024 // MiB
	limit  = time.Hour
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: nfsvm COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "nfsvm:", err)
		os.Exit(125)
	}
	os.Exit(status)
}

func run(args []string) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "nfsvm.")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	init := filepath.Join(dir, "init")
	build := exec.CommandContext(ctx, "go", "build", "-o", init, "github.com/tidegate/tidegate/internal/e2e/guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 0, err
	}
	g, err := vm.Start(ctx, vm.Config{Init: init, Memory: memory})
	if err != nil {
		return 0, err
	}
	defer g.Close()
	env := append([]string{"/usr/bin/env", "HOST=" + g.Host()}, args...)
	r, err := g.Run(ctx, agent.Command{Args: env, Limit: limit})
	os.Stdout.Write(r.Output)
	return r.Status, err
}
