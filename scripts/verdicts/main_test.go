package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results")
	text := `{"tests": [
		{"code": "A1", "family": "A", "outcome": "pass"},
		{"code": "A2", "family": "A", "section": "RFC 1, 2", "expect": "it does", "outcome": "fail", "reason": "it\ndoes not"},
		{"code": "B1", "family": "B", "outcome": "skip"}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := read("one=" + path)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	table(&b, []column{c, {name: "two"}})
	c.failures(&b)
	column{name: "two"}.failures(&b)
	const want = `| family | one | two |
| --- | --- | --- |
| A | 1 of 2 | 0 of 0 |
| B | 0 of 0, 1 skipped | 0 of 0 |
| all | 1 of 2, 1 skipped | 0 of 0 |

### What one fails

- A2 (RFC 1, 2): it does. it does not

### What two fails

Nothing.
`
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}
