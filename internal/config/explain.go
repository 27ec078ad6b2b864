package config

//go:generate go test -run TestDocument -update .

import (
	"fmt"
	"io"
	"strings"
)

// Explain says what the keys and blocks of that name do. The name is a key's, a
// block's, or BLOCK.KEY.
func Explain(name string) (string, error) {
	var out strings.Builder
	var names []string
	blocks := table()
	for _, b := range blocks {
		names = append(names, b.path)
		for _, k := range b.keys {
			full := b.path + "." + k.name
			names = append(names, k.name)
			if strings.EqualFold(name, k.name) || strings.EqualFold(name, full) {
				fmt.Fprintf(&out, "%s: %s\n%s", full, k.doc, k.facts("  ", "\n"))
			}
		}
	}
	if b, ok := find(blocks, name); ok {
		fmt.Fprintf(&out, "%s: %s\n", b.path, b.doc)
		for _, k := range b.keys {
			fmt.Fprintf(&out, "  %s: %s\n", k.name, k.doc)
		}
	}
	if out.Len() == 0 {
		return "", fmt.Errorf("no key or block is called %q%s", name, suggestion(name, names))
	}
	return out.String(), nil
}

// facts lists the type, range, default and effect of a key.
func (k key) facts(before, after string) string {
	facts := []string{"type: " + k.kind.name}
	if bounds := k.kind.bounds(); bounds != "" {
		facts = append(facts, "values: "+bounds)
	}
	if k.def != "" {
		facts = append(facts, "default: "+k.def)
	} else {
		facts = append(facts, "no default")
	}
	facts = append(facts, "effect: "+k.outcome())
	return before + strings.Join(facts, after+before) + after
}

// outcome is what setting k leads to.
func (k key) outcome() string {
	switch {
	case k.effect == used:
		return "used"
	case k.effect == idle:
		return "none here"
	case k.only == "":
		return "checked; cannot be honoured"
	case k.kind.many:
		return "checked; must hold " + strings.Join(strings.Fields(k.only), " or ")
	}
	return "checked; honoured: " + strings.Join(strings.Fields(k.only), ", ")
}

// Document writes docs/configuration.md.
func Document(w io.Writer) {
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
named cannot be honoured: they are warnings. A server that is asked for such a thing refuses the configuration; an export that
is is left out, and the others are served, unless none is left. The exit status of ` + "`tidegate check`" + ` is 1 then.

A running server reads its configuration again on SIGHUP, on ` + "`tidegate reload`" + `, and when somebody notifies the object that is
watch_url in RADOS_URLS, as the Ceph manager does. Exports and the level of the log change then; what else has changed counts
from the next start, and the log says so.
`
