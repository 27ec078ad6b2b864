package cluster

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// step is what ganesha-rados-grace did: testdata/gracedb-tool.jsonl.
type step struct {
	Step, Cmd, Argline, Output, Dump string
	RC                               int
	Data                             *string
	Omap                             map[string]byte
}

var commands = map[string]func(*DB, ...string) error{
	"add": (*DB).Add, "start": (*DB).Start, "join": (*DB).Join, "lift": (*DB).Lift, "remove": (*DB).Remove,
	"enforce": (*DB).Enforcing, "noenforce": (*DB).Relaxed, "member": (*DB).Members,
}

// apart are steps that are not of the state machine, or in which it is better:
// removing a node without N ends no grace period that another needs.
var apart = map[string]bool{
	"01-dump-missing": true, "02-member-missing": true, "03-start-missing": true,
	"32-remove-d-not-needing": true, "40-add-no-nodes": true, "41-unknown-command": true, "42-add-odd-names": true,
}

// Every step from the state before it leads to the object that the tool wrote.
func TestGolden(t *testing.T) {
	f, err := os.Open("testdata/gracedb-tool.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	db := newDB()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if !apart[s.Step] {
			s.check(t, &db)
		}
		if s.Data != nil {
			db = s.after(t)
		}
	}
	if n != 44 {
		t.Errorf("%d steps", n)
	}
}

func (s *step) check(t *testing.T, db *DB) {
	t.Helper()
	do := commands[s.Cmd]
	if s.Cmd == "dump" {
		do = func(*DB, ...string) error { return nil }
	}
	err := do(db, strings.Fields(s.Argline)...)
	if (err != nil) != (s.RC != 0) {
		t.Errorf("%s: %v, want exit code %d", s.Step, err, s.RC)
	}
	if err != nil && Failure(err) != s.Output {
		t.Errorf("%s: %q, want %q", s.Step, Failure(err), s.Output)
	}
	if got := hex.EncodeToString(db.body()); got != *s.Data {
		t.Errorf("%s: body %s, want %s", s.Step, got, *s.Data)
	}
	for node, flags := range s.Omap {
		if db.Nodes[node] != Flags(flags) {
			t.Errorf("%s: node %q has %v, want %v", s.Step, node, db.Nodes[node], Flags(flags))
		}
	}
	if got := db.String(); got != s.Dump {
		t.Errorf("%s: dump\n%swant\n%s", s.Step, got, s.Dump)
	}
}

func (s *step) after(t *testing.T) DB {
	t.Helper()
	body, err := hex.DecodeString(*s.Data)
	if err != nil {
		t.Fatal(err)
	}
	omap := make(map[string][]byte)
	for line := range strings.Lines(s.Dump) {
		if node, flags, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			var f Flags
			if flags[0] == 'N' {
				f |= Need
			}
			if flags[1] == 'E' {
				f |= Enforce
			}
			omap[node] = []byte{byte(f)} // the omap beside it lacks names that are not ASCII
		}
	}
	db, err := decode(body, omap)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// Removing a node that does not need the grace period leaves it to those who do.
func TestRemoveLeavesGrace(t *testing.T) {
	db := newDB()
	for _, err := range []error{db.Add("a", "b"), db.Start("a"), db.Remove("b")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if db.Rec == 0 || db.Nodes["a"]&Need == 0 {
		t.Errorf("the grace period that a needs is over:\n%v", db)
	}
	if db.Remove("a"); db.Rec != 0 {
		t.Errorf("nobody is left to need the grace period:\n%v", db)
	}
}

func TestDamage(t *testing.T) {
	good := newDB()
	many := make(map[string][]byte)
	for i := range maxNodes + 1 {
		many[string(rune('a'+i%26))+strings.Repeat("x", i/26)] = []byte{0}
	}
	for name, x := range map[string]struct {
		body []byte
		omap map[string][]byte
	}{
		"no body":        {nil, nil},
		"a short body":   {good.body()[:15], nil},
		"a long body":    {append(good.body(), 0), nil},
		"too many nodes": {good.body(), many},
		"an empty value": {good.body(), map[string][]byte{"a": {}}},
		"a long value":   {good.body(), map[string][]byte{"a": {1, 2}}},
	} {
		if _, err := decode(x.body, x.omap); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
