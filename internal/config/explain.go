package config

import (
	"fmt"
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
