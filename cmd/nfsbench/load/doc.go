// Package load puts load on an NFSv4.1 or 4.2 server and measures what comes back.
//
// A Bench is clients with sessions of their own, each with workers that send one
// operation after the other; an operation is what a program on a client does,
// with the COMPOUNDs that Linux sends for it. Run measures for a while, as often
// as wanted. Operations that use something up, such as files to remove, run in
// rounds with a pause to make it again, and the clock stands in the pauses.
package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/tidegate/tidegate/xdr/rpc"
)

// Target is an export of a server.
type Target struct {
	Addr   string // host:port
	Export string // path from the server's root
	Minor  uint32
	Cred   rpc.Cred // of a user who may write there
}

// Job is what to do to a Target.
type Job struct {
	Op      string // one of Ops
	Clients int    // client ids, each with a session
	Conns   int    // connections of a session
	Depth   int    // workers of a session
	Files   int    // of each worker, where an operation goes over files
	// Rate is operations a second of all workers together; 0: as many as they can.
	// Latency then counts from when an operation was due.
	Rate float64
}

// Result is what Run measured.
type Result struct {
	Ops     uint64
	Bytes   uint64        // of file data
	Elapsed time.Duration // without pauses
	Latency *hdrhistogram.Histogram
}

// The histograms' range in nanoseconds and their precision in decimal digits.
const (
	fastest   = int64(time.Microsecond)
	slowest   = int64(time.Minute)
	precision = 2
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(fastest, slowest, precision)
}

// PerSecond returns operations per second.
func (r Result) PerSecond() float64 { return float64(r.Ops) / r.Elapsed.Seconds() }

// Quantile returns the latency below which q per cent of the operations stayed.
func (r Result) Quantile(q float64) time.Duration {
	return time.Duration(r.Latency.ValueAtQuantile(q))
}
