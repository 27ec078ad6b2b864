//go:build linux

// Package meter reads what a process has used.
package meter

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a process of this machine. The zero Process is none, and uses
// nothing.
type Process struct {
	PID     int
	Metrics string // URL of its Prometheus metrics, if it is a Go program; or ""
}

// Usage is what a process has used since its start.
type Usage struct {
	CPU    time.Duration
	Allocs float64 // objects; 0 where that cannot be told
}

// Since returns what was used between u and now.
func (now Usage) Since(u Usage) Usage {
	return Usage{CPU: now.CPU - u.CPU, Allocs: now.Allocs - u.Allocs}
}

// Add returns the sum.
func (u Usage) Add(v Usage) Usage { return Usage{CPU: u.CPU + v.CPU, Allocs: u.Allocs + v.Allocs} }

// Usage reads the process's CPU clock, which counts nanoseconds of all its
// threads, those that ended included.
func (p Process) Usage() (u Usage, err error) {
	if p.PID == 0 {
		return u, nil
	}
	// The clock of another process has its pid in it (clock_getcpuclockid(3)); 2
	// is the scheduler's clock.
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^p.PID<<3|2), &ts); err != nil {
		return u, fmt.Errorf("process %d: %w", p.PID, err)
	}
	u.CPU = time.Duration(ts.Nano())
	if p.Metrics != "" {
		u.Allocs, err = p.metric("go_memstats_mallocs_total")
	}
	return u, err
}

func (p Process) metric(name string) (float64, error) {
	resp, err := http.Get(p.Metrics)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 16<<20))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s: no %s in it", p.Metrics, name)
}

// Memory returns the bytes of memory that the process has resident.
func (p Process) Memory() (uint64, error) {
	if p.PID == 0 {
		return 0, nil
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "VmRSS:" {
			kib, err := strconv.ParseUint(string(f[1]), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: no VmRSS", p.PID)
}
