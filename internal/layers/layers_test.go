// Package layers compares the imports of the module's packages with docs/layers.txt.
package layers

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tidegate/tidegate/"

// rules maps each package to what it may import.
type rules map[string][]string

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath string
	Imports    []string
	CgoFiles   []string
}

func readRules(t *testing.T, path string) rules {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := rules{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if _, twice := r[words[0]]; twice {
			t.Errorf("%s has two lines", words[0])
		}
		r[words[0]] = words[1:]
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return r
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,CgoFiles", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// breaches returns what p does that r does not allow.
func (r rules) breaches(p pkg) []string {
	name := strings.TrimPrefix(p.ImportPath, module)
	allowed, ok := r[name]
	if !ok {
		return []string{name + " has no line"}
	}
	if slices.Contains(allowed, "*") {
		return nil
	}
	var all []string
	for _, path := range p.Imports {
		first, _, _ := strings.Cut(path, "/")
		own, inside := strings.CutPrefix(path, module)
		switch {
		case inside && slices.Contains(allowed, own):
		case !inside && strings.Contains(first, ".") && slices.Contains(allowed, "lib"):
		case !inside && !strings.Contains(first, "."):
		default:
			all = append(all, name+" imports "+own)
		}
	}
	if len(p.CgoFiles) > 0 {
		all = append(all, name+" uses cgo without the build tag ceph")
	}
	return all
}

func TestLayers(t *testing.T) {
	r := readRules(t, "../../docs/layers.txt")
	packages := listPackages(t)
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages", len(packages))
	}
	for _, p := range packages {
		for _, b := range r.breaches(p) {
			t.Errorf("%s (docs/layers.txt)", b)
		}
	}
}

func TestBreaches(t *testing.T) {
	r := rules{"a": {"b"}, "b": nil, "c": {"lib"}, "d": {"*"}}
	for _, test := range []struct {
		p    pkg
		want int
	}{
		{pkg{ImportPath: module + "a", Imports: []string{"net/http", module + "b"}}, 0},
		{pkg{ImportPath: module + "a", Imports: []string{module + "c"}}, 1},
		{pkg{ImportPath: module + "b", Imports: []string{module + "a", "golang.org/x/sys/unix", "fmt"}}, 2},
		{pkg{ImportPath: module + "b", CgoFiles: []string{"b.go"}}, 1},
		{pkg{ImportPath: module + "c", Imports: []string{"golang.org/x/sys/unix"}}, 0},
		{pkg{ImportPath: module + "d", Imports: []string{module + "a", "example.org/x"}}, 0},
		{pkg{ImportPath: module + "new"}, 1},
	} {
		if got := r.breaches(test.p); len(got) != test.want {
			t.Errorf("%+v: got %q, want %d breaches", test.p, got, test.want)
		}
	}
}

// Every module that is required directly has its line in docs/dependencies.md.
func TestDependencies(t *testing.T) {
	doc, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, m := range mod.Require {
		if !m.Indirect && !strings.Contains(string(doc), "| `"+m.Path+"` |") {
			t.Errorf("%s is required and has no line in docs/dependencies.md", m.Path)
		}
	}
}
