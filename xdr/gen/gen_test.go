package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every generated file of the module is what its source generates now.
func TestCurrent(t *testing.T) {
	parsed := map[string]*pkg{}
	found := 0
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(got, []byte(header[:strings.Index(header, "\n")])) {
			return err
		}
		found++
		dir, name := filepath.Split(path)
		if parsed[dir] == nil {
			if parsed[dir], err = parse(dir); err != nil {
				return err
			}
		}
		want, err := parsed[dir].generate(strings.TrimSuffix(name, suffix) + ".go")
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run go generate", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no generated files found")
	}
}

// write makes a package of one file and returns its directory.
func write(t *testing.T, src string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte("package p\n"+src), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRun(t *testing.T) {
	dir := write(t, `
type Kind uint32
const A, B, C Kind = 1, 2, 3

// Key is fixed.
type Key [6]byte

// Name is short.
//
//xdr:max=9
type Name string

type T struct {
	Key   Key
	Names []Name `+"`xdr:\"max=4\"`"+`
	Next  *int64
	Kind  Kind `+"`xdr:\"switch,void=C\"`"+`
	X, Y  uint32 `+"`xdr:\"case=A\"`"+`
	Z     *Key `+"`xdr:\"case=A|B\"`"+`
	U     []U
}

type U struct {
	Ok   bool `+"`xdr:\"switch\"`"+`
	Yes  uint64 `+"`xdr:\"case=true\"`"+`
	No   []byte `+"`xdr:\"case=false\"`"+`
	More bool
}

type hidden struct{ m map[int]int }
`)
	if err := run(dir, []string{"p.go"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "p_gen.go"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/p_gen.golden")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("generated\n%s", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"no struct", "type N uint32", "p.go has no structs"},
		{"map", "type T struct { M map[int]int }", "p.go:2:17: T.M: *ast.MapType has no XDR"},
		{"foreign type", "type T struct { X int }", "T.X: type int has no XDR"},
		{"embedded", "type U struct{}\ntype T struct { U }", "T: embedded fields have no codec"},
		{"array of numbers", "type T struct { X [3]uint32 }", "T.X: the only arrays are of bytes, with a literal length"},
		{"unknown tag", "type T struct { X uint32 `xdr:\"limit=3\"` }", `T: unknown tag "limit=3"`},
		{"case alone", "type T struct { X uint32 `xdr:\"case=A\"` }", "T: X has a case outside a union"},
		{"union without arms", "type T struct { X uint32 `xdr:\"switch\"` }", "T: X: a union has arms, and nothing else has"},
		{"discriminant", "type T struct { X []byte `xdr:\"switch,void=A\"` }", "T: X is no discriminant"},
		{"struct by another name", "type U struct { X bool }\ntype V U\ntype T struct { X V }", "T.X: V is U by another name, without its methods"},
		{"elements of no size", "type T struct { X []U }\ntype U struct{}", "T: the elements of v.X take no room, so nothing bounds their number"},
		{"recursion", "type T struct { X []U }\ntype U struct { X U }", "T: U contains itself"},
	} {
		err := run(write(t, c.src), []string{"p.go"})
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
