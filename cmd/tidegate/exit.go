package main

import (
	"errors"
	"fmt"
	"strings"
)

// The exit statuses, those of sysexits.h where it has one. A crash of the Go runtime
// ends with 2, and is none of these.
const (
	exitFailed = 1
	exitUsage  = 64
	exitConfig = 78
)

// exits are the statuses for people. The unit of systemd and scripts rely on them.
var exits = []struct {
	status  int
	meaning string
}{
	{0, "done; of a server, that it was told to stop"},
	{exitFailed, "failed, and may go well at another time; of 'check', a configuration\n        that 'serve' would refuse, or an export of it"},
	{exitUsage, "a command line to be mended"},
	{exitConfig, "a configuration, directory, address or cluster that cannot be served,\n        or another server in this one's place: a new start would not do"},
}

// exitTable says what the statuses mean.
func exitTable() string {
	var b strings.Builder
	b.WriteString("Exit statuses:\n")
	for _, x := range exits {
		fmt.Fprintf(&b, "\n    %2d  %s", x.status, x.meaning)
	}
	return b.String()
}

// failure is an error that arose while running.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// misfit is an error of what a server is to serve by, which is for a person to mend.
type misfit struct{ error }

func (m misfit) Unwrap() error { return m.error }

// unfitting makes an error a misfit, but nil.
func unfitting(err error) error {
	if err == nil {
		return nil
	}
	return misfit{err}
}

// exitStatus is the exit status of a command that ended with an error. What is neither
// a failure nor a misfit is of the command line.
func exitStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(failure)):
		return exitFailed
	case errors.As(err, new(misfit)):
		return exitConfig
	}
	return exitUsage
}
