//go:build linux

package meter

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

func TestUsage(t *testing.T) {
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE go_memstats_mallocs_total counter\ngo_memstats_mallocs_total 1.5e+06\n")
	}))
	defer metrics.Close()
	p := Process{PID: os.Getpid(), Metrics: metrics.URL}
	before, err := p.Usage()
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < 20*time.Millisecond; {
	}
	now, err := p.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if used := now.Since(before); used.CPU <= 0 || used.CPU > time.Minute {
		t.Errorf("used %v", used.CPU)
	}
	if now.Allocs != 1.5e6 {
		t.Errorf("%v allocations", now.Allocs)
	}
	if bytes, err := p.Memory(); err != nil || bytes < 1<<20 {
		t.Errorf("%d bytes, %v", bytes, err)
	}
}

func TestNoProcess(t *testing.T) {
	if u, err := (Process{}).Usage(); u != (Usage{}) || err != nil {
		t.Errorf("no process: %v, %v", u, err)
	}
	const none = 1<<22 + 1 // beyond the highest pid there is
	if _, err := (Process{PID: none}).Usage(); err == nil {
		t.Error("a process that is not there has used something")
	}
	if _, err := (Process{PID: none}).Memory(); err == nil {
		t.Error("a process that is not there has memory")
	}
}
