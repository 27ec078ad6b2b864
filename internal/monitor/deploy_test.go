package monitor

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	rulesFile     = "../../deploy/prometheus/tidegate.rules.yml"
	rulesTest     = "../../deploy/prometheus/tidegate.test.yml"
	dashboardFile = "../../deploy/grafana/tidegate.json"
)

// Every metric that the alerts and the dashboard name is exported.
func TestDeploy(t *testing.T) {
	r := newRig(t)
	s := r.mount("host")
	r.copyThrough(s, r.create(s, "one", "f"), 10)
	_, text, _ := r.fetch("/metrics?clients=1")
	exported := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`).FindAllStringSubmatch(text, -1) {
		exported[m[1]] = true
		if m[2] == "histogram" {
			exported[m[1]+"_bucket"], exported[m[1]+"_sum"], exported[m[1]+"_count"] = true, true, true
		}
	}
	for _, path := range []string{rulesFile, dashboardFile} {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\b(tidegate|go|process)_[a-z0-9_]+`).FindAllString(string(body), -1)
		if len(names) < 10 {
			t.Errorf("%s names %d metrics", path, len(names))
		}
		for _, name := range names {
			if !exported[name] {
				t.Errorf("%s names %s, which is not exported", path, name)
			}
		}
	}
}

type panel struct {
	ID      int
	Type    string
	Targets []struct{ Expr string }
}

func dashboard(t *testing.T) []panel {
	t.Helper()
	body, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Panels []panel }
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	return d.Panels
}

func TestDashboard(t *testing.T) {
	seen := map[int]bool{}
	for _, p := range dashboard(t) {
		if seen[p.ID] || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d: twice %v, %d queries", p.ID, seen[p.ID], len(p.Targets))
		}
		seen[p.ID] = true
	}
	if len(seen) < 10 {
		t.Errorf("%d panels", len(seen))
	}
}

// Prometheus' own tool takes the rules, which alert when they should, and the
// dashboard's queries as rules.
func TestRules(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool (Debian package prometheus) is needed")
	}
	type rule struct {
		Record string            `json:"record"`
		Labels map[string]string `json:"labels"`
		Expr   string            `json:"expr"`
	}
	var all []rule
	for i, p := range dashboard(t) {
		for j, q := range p.Targets {
			id := map[string]string{"panel": fmt.Sprint(i), "query": fmt.Sprint(j)}
			all = append(all, rule{"dashboard", id, strings.ReplaceAll(q.Expr, "$__rate_interval", "5m")})
		}
	}
	body, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": all}}})
	if err != nil {
		t.Fatal(err)
	}
	queries := filepath.Join(t.TempDir(), "queries.yml") // JSON is YAML
	if err := os.WriteFile(queries, body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", rulesFile}, {"check", "rules", queries}, {"test", "rules", rulesTest}} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
}
