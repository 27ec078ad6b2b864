package config

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// readPatience bounds the wait for a file: a pipe that nobody writes to, or a file
// system that hangs, would hold up all else.
const readPatience = 30 * time.Second

// readFile reads a file: of one that is too large, enough to tell. A file that hangs
// is left to itself when ctx ends.
func readFile(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readPatience, fmt.Errorf("no answer within %v", readPatience))
	defer cancel()
	type outcome struct {
		text []byte
		err  error
	}
	read := make(chan outcome, 1)
	go func() {
		text, err := readStart(name)
		read <- outcome{text, err}
	}()
	select {
	case o := <-read:
		return o.text, o.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func readStart(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, MaxSource+1))
}
