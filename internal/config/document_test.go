package config

//go:generate go test -run TestDocument -update .

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

const document = "../../docs/configuration.md"

func TestDocument(t *testing.T) {
	var want bytes.Buffer
	writeDocument(&want)
	if *update {
		if err := os.WriteFile(document, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/configuration.md is not what the table says; go generate ./internal/config writes it")
	}
}

// writeDocument writes docs/configuration.md.
func writeDocument(w io.Writer) {
	io.WriteString(w, documentHead)
	for _, b := range table() {
		fmt.Fprintf(w, "\n## %s\n\n%s\n", strings.ReplaceAll(b.path, "/", " / "), b.doc)
		if b.repeats {
			fmt.Fprint(w, "There may be several.\n")
		}
		fmt.Fprint(w, "\n| key | type | values | default | what it does | effect here |\n|---|---|---|---|---|---|\n")
		for _, k := range b.keys {
			fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s | %s |\n", k.name, k.kind.name, cell(k.kind.bounds()), cell(k.def), cell(k.doc), k.outcome())
		}
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

const documentHead = `# Configuration

<!-- Generated from the table of internal/config; go generate ./internal/config writes it. -->

` + "`tidegate serve --config FILE`" + ` reads configurations in nfs-ganesha's language; a flag that is given as well counts instead.
The language:

- Blocks are written ` + "`NAME { key = value; … }`" + ` and stand in each other. Names are taken in any case of letters.
- A value is a word, or text in double quotes (a backslash stands before a quote or backslash) or single quotes. Lists have commas.
- Numbers are written as in C: ` + "`0755`, `0x1ed`, `493`, `-2`, `~0xff`" + `. Booleans are true, yes, on, false, no and off.
- ` + "`#`" + ` begins a comment.
- Outside of blocks, ` + "`%include FILE`, `%dir DIRECTORY` and `%url rados://POOL/NAMESPACE/OBJECT`" + ` take in other text. Relative
  names are beside the file that has them.
- Where an export says nothing, EXPORT_DEFAULTS counts; where a CLIENT block says nothing, its export does.

` + "`tidegate check FILE`" + ` shows what a configuration comes to and everything there is to say about it. A key that is known to
ganesha and does nothing here is a warning, one that nobody knows an error. Where a key's effect is "checked", other values than those
named cannot be honoured, and are warnings: those of the whole server have the configuration refused; an export that has one is
left out, and the others are served, unless none is left. The exit status of ` + "`tidegate check`" + ` is 1 then.

A running server reads its configuration again on SIGHUP, on ` + "`tidegate reload`" + `, and when somebody notifies the object that is
watch_url in RADOS_URLS, as the Ceph manager does. Exports and the level of the log change then; what else has changed counts
from the next start, and the log says so.
`
