package main

import (
	"errors"
	"fmt"
	"strings"
)

// The exit statuses. 2 is also how the Go runtime ends after a crash, unless GOTRACEBACK
// is "crash", as in the unit: then it is a signal.
const (
	exitFailed = 1
	exitUsage  = 2
)

// exits are the statuses for people. The unit of systemd and scripts rely on them.
var exits = []struct {
	status  int
	meaning string
}{
	{0, "done; of a server, that it was told to stop"},
	{exitFailed, "failed, and may go well at another time; of 'check', a configuration\n        that 'serve' would refuse, or an export of it"},
	{exitUsage, "for a person to mend: a command line, or a configuration, directory,\n        address or cluster that cannot be served, or another server in\n        this one's place"},
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

// exitStatus is the exit status of a command that ended with an error.
func exitStatus(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(failure)):
		return exitFailed
	}
	return exitUsage
}
