//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tidegate/tidegate/cmd/nfsbench/load"
	"github.com/tidegate/tidegate/cmd/nfsbench/meter"
)

// figure is what one measurement came to. What is about the server's process is
// 0 where that is not known.
type figure struct {
	Op        string  `json:"op"`
	Ops       uint64  `json:"ops"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	MiB       float64 `json:"mib_per_second,omitempty"` // of file data

	// Latencies in microseconds.
	P50  float64 `json:"p50_us"`
	P90  float64 `json:"p90_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
	Max  float64 `json:"max_us"`

	CPUSeconds   float64 `json:"cpu_seconds,omitempty"`
	PerCPUSecond float64 `json:"per_cpu_second,omitempty"`
	AllocsPerOp  float64 `json:"allocs_per_op,omitempty"`
	IdleMemory   uint64  `json:"idle_memory,omitempty"` // resident bytes before the load
	Memory       uint64  `json:"memory,omitempty"`      // and right after it
}

func newFigure(op string, r load.Result, u meter.Usage) figure {
	micros := func(q float64) float64 { return float64(r.Quantile(q)) / float64(time.Microsecond) }
	f := figure{
		Op: op, Ops: r.Ops, Seconds: r.Elapsed.Seconds(), PerSecond: r.PerSecond(),
		MiB: float64(r.Bytes) / (1 << 20) / r.Elapsed.Seconds(),
		P50: micros(50), P90: micros(90), P99: micros(99), P999: micros(99.9), Max: micros(100),
		CPUSeconds: u.CPU.Seconds(),
	}
	if u.CPU > 0 {
		f.PerCPUSecond = float64(r.Ops) / u.CPU.Seconds()
	}
	if r.Ops > 0 {
		f.AllocsPerOp = u.Allocs / float64(r.Ops)
	}
	return f
}

func printHead(out io.Writer) {
	fmt.Fprintf(out, "%-12s %9s %9s %9s %9s %9s %12s %11s %9s %9s\n", "operation", "ops/s", "MiB/s",
		"p50", "p99", "p99.9", "ops/CPU-s", "CPU/op", "allocs/op", "memory")
}

func (f figure) print(out io.Writer) {
	cpu := "-"
	if f.PerCPUSecond > 0 {
		cpu = micros(1e6 / f.PerCPUSecond)
	}
	fmt.Fprintf(out, "%-12s %9.0f %9.1f %9s %9s %9s %12.0f %11s %9.1f %8dM\n", f.Op, f.PerSecond, f.MiB,
		micros(f.P50), micros(f.P99), micros(f.P999), f.PerCPUSecond, cpu, f.AllocsPerOp, f.Memory>>20)
}

// micros is a number of microseconds for people.
func micros(us float64) string {
	switch {
	case us >= 1e6:
		return fmt.Sprintf("%.2f s", us/1e6)
	case us >= 1e4:
		return fmt.Sprintf("%.1f ms", us/1e3)
	case us >= 1e3:
		return fmt.Sprintf("%.2f ms", us/1e3)
	case us >= 100:
		return fmt.Sprintf("%.0f µs", us)
	}
	return fmt.Sprintf("%.1f µs", us)
}

// writeJSON writes v to a file, if there is one to write.
func writeJSON(file string, v any) error {
	if file == "" {
		return nil
	}
	b, err := json.MarshalIndent(v, "", "\t")
	if err == nil {
		err = os.WriteFile(file, append(b, '\n'), 0o644)
	}
	if err != nil {
		return failure{err}
	}
	return nil
}
