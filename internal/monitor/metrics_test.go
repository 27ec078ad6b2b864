package monitor

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/nfs4"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// values returns the values of an answer by name and labels.
func values(t *testing.T, text string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		if _, twice := all[line[:i]]; twice {
			t.Errorf("%s twice", line[:i])
		}
		all[line[:i]] = line[i+1:]
	}
	return all
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	s := r.mount("alice \"\x01<b>")
	f := r.create(s, "one", "file")
	for range 5 {
		r.copyThrough(s, f, 1000)
	}
	status, text, _ := r.fetch("/metrics?clients=3")
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	got := values(t, text)
	const who = `address="127.0.0.1",client="alice \\\"\\x01<b>"`
	for name, want := range map[string]string{
		`tidegate_operations_total{operation="WRITE",status="NFS4_OK"}`:          "5",
		`tidegate_operation_duration_seconds_count{operation="WRITE"}`:           "5",
		`tidegate_operation_duration_seconds_bucket{operation="READ",le="+Inf"}`: "5",
		`tidegate_read_bytes_total`:                                              "5000",
		`tidegate_export_written_bytes_total{export="/one"}`:                     "5000",
		`tidegate_export_written_bytes_total{export="/two"}`:                     "0",
		`tidegate_export_up{export="/two"}`:                                      "1",
		`tidegate_client_read_bytes_total{` + who + `}`:                          "5000",
		`tidegate_clients{state="confirmed"}`:                                    "1",
		`tidegate_clients{state="courtesy"}`:                                     "0",
		`tidegate_sessions`:                                                      "1",
		`tidegate_slots_in_use`:                                                  "0",
		`tidegate_opens`:                                                         "1",
		`tidegate_grace_phase{phase="none"}`:                                     "1",
		`tidegate_grace_phase{phase="recovering"}`:                               "0",
		`tidegate_ceph_evictions_total`:                                          "3",
		`tidegate_ceph_recalls_total`:                                            "4",
		`tidegate_ceph_paced_seconds_total`:                                      "5",
		`tidegate_cache_bytes`:                                                   "5",
		`tidegate_cache_hits_total{what="names"}`:                                "6",
		`tidegate_cache_misses_total{what="names"}`:                              "7",
		`tidegate_cluster_epoch{epoch="recovering"}`:                             "6",
		`tidegate_cluster_member_needs_grace{node="a"}`:                          "1",
		`tidegate_cluster_member_needs_grace{node="b"}`:                          "0",
		`tidegate_cluster_member_enforces_grace{node="b"}`:                       "1",
		`tidegate_ready`:                                                         "1",
		`tidegate_connections`:                                                   "1",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %s", name, got[name], want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", `tidegate_rpcs_total{procedure="COMPOUND",status="NFS4_OK"}`} {
		if got[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	if !regexp.MustCompile(`tidegate_build_info\{goversion="go.*",version="1.2.3"\} 1`).MatchString(text) {
		t.Error("no build info")
	}
	_, text, _ = r.fetch("/metrics")
	if strings.Contains(text, "tidegate_client_") {
		t.Error("clients are told of without being asked for")
	}
}

// Clients whose names look the same, and who has no session, do not spoil the
// answer.
func TestMetricsOfLikeClients(t *testing.T) {
	r := newRig(t)
	name := strings.Repeat("n", longest)
	r.mount(name + "1")
	r.mount(name + "2")
	conn, err := client.Dial(t.Context(), r.addr, client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stranger := wire.ExchangeIDArgs{ClientOwner: wire.ClientOwner{OwnerID: []byte("stranger")}}
	reboot := wire.ExchangeIDArgs{ClientOwner: wire.ClientOwner{OwnerID: []byte(name + "1"), Verifier: wire.Verifier{9}}}
	if _, err := conn.Compound(t.Context(), 1, "", reboot); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Compound(t.Context(), 1, "", stranger); err != nil {
		t.Fatal(err)
	}
	status, text, _ := r.fetch("/metrics?clients=10")
	if status != 200 || strings.Contains(text, "stranger") || strings.Count(text, "tidegate_client_opens{") != 1 {
		t.Errorf("%d %s", status, text)
	}
}

// A place may be any bytes, a label may not.
func TestMetricsOfOddPlaces(t *testing.T) {
	r := newRig(t)
	if err := r.cfg.NFS.SetExports([]nfs4.Export{{ID: 1, Path: "/\xff\"", FS: r.one}}); err != nil {
		t.Fatal(err)
	}
	if status, text, _ := r.fetch("/metrics"); status != 200 || !strings.Contains(text, `tidegate_export_up{export="/�\""}`) {
		t.Errorf("%d %s", status, text)
	}
}

// Prometheus' own tool has nothing to say against the metrics.
func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool (Debian package prometheus) is needed")
	}
	r := newRig(t)
	s := r.mount("a")
	r.copyThrough(s, r.create(s, "one", "f"), 10)
	_, text, _ := r.fetch("/metrics?clients=10")
	cmd := exec.Command(tool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
