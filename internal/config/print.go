package config

import (
	"fmt"
	"io"
	"strings"
)

// Print writes the settings in force as a configuration, each with where it is
// from.
func (c *Config) Print(w io.Writer) {
	p := printer{c, w, table()}
	whole := &scope{settings: &c.Settings, perms: &c.Defaults}
	for _, b := range p.blocks {
		if !b.repeats && !strings.Contains(b.path, "/") {
			p.block(b, whole, "", func() {})
		}
	}
	for i := range c.Exports {
		p.export(&c.Exports[i])
	}
}

// PrintExport writes one of c.Exports so.
func (c *Config) PrintExport(w io.Writer, x *Export) { printer{c, w, table()}.export(x) }

type printer struct {
	*Config
	io.Writer
	blocks []block
}

func (p printer) export(x *Export) {
	b, _ := find(p.blocks, "EXPORT")
	fsal, _ := find(p.blocks, "EXPORT/FSAL")
	client, _ := find(p.blocks, "EXPORT/CLIENT")
	s := &scope{settings: &p.Settings, export: x, perms: &x.Permissions}
	p.block(b, s, "", func() {
		p.block(fsal, s, "    ", func() {})
		for i := range x.Clients {
			cl := &x.Clients[i]
			p.block(client, &scope{client: cl, perms: &cl.Permissions}, "    ", func() {})
		}
	})
}

// block writes the keys of b that are used, and what inner writes.
func (p printer) block(b block, s *scope, indent string, inner func()) {
	var lines []string
	for _, k := range b.keys {
		if k.into == nil || k.effect == idle || k.effect == guarded && k.only != "" && k.def == "" {
			continue
		}
		from := k.into(s)
		value := show(from)
		if value == `""` || value == "" {
			continue
		}
		if k.secret {
			value = `"…"`
		}
		lines = append(lines, fmt.Sprintf("%s    %s = %s; # %s\n", indent, k.name, value, p.source(from, s)))
	}
	if len(lines) == 0 {
		return
	}
	_, name := split(b.path)
	fmt.Fprintf(p, "%s%s {\n%s", indent, name, strings.Join(lines, ""))
	inner()
	fmt.Fprintf(p, "%s}\n", indent)
}

// source names the place that a setting in s is from.
func (p printer) source(setting any, s *scope) string {
	pos, set := p.origins[setting]
	switch {
	case set:
		return pos.String()
	case s.export != nil || s.client != nil:
		return "inherited"
	}
	return "default"
}
