package config

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// checker turns nodes into settings by the table.
type checker struct {
	*Config
	blocks   []block
	seen     map[*node]map[string]Pos // keys of the blocks that count by themselves
	once     map[string]Pos           // keys of the others, by path and name
	defaults []*node                  // CLIENT blocks in EXPORT_DEFAULTS
}

// check reads settings out of nodes.
func check(nodes []*node) *Config {
	c := checker{
		Config: &Config{origins: map[any]Pos{}}, blocks: table(),
		seen: map[*node]map[string]Pos{}, once: map[string]Pos{},
	}
	whole := &scope{settings: &c.Settings, perms: &c.Defaults}
	for _, b := range c.blocks {
		if first, _, _ := strings.Cut(b.path, "/"); first != "EXPORT" && !b.repeats {
			setDefaults(b, whole)
		}
	}
	var exports []*node
	for _, n := range nodes {
		if strings.EqualFold(n.Name, "EXPORT") && n.Block {
			exports = append(exports, n)
			continue
		}
		c.node(n, block{}, whole)
	}
	c.Exports = make([]Export, len(exports))
	for i, n := range exports {
		c.export(n, &c.Exports[i])
	}
	c.whole(whole)
	c.clashes()
	return c.Config
}

func setDefaults(b block, s *scope) {
	for _, k := range b.keys {
		if k.into == nil || k.def == "" {
			continue
		}
		if v, err := k.kind.read(strings.Split(k.def, ", ")); err == nil {
			store(k.into(s), v)
		}
	}
}

func (c *checker) errorAt(pos Pos, format string, args ...any) {
	c.Findings = append(c.Findings, errorAt(pos, format, args...))
}

func (c *checker) warningAt(pos Pos, format string, args ...any) {
	c.Findings = append(c.Findings, warningAt(pos, format, args...))
}

// node takes in a key or block that stands in the block within, or outside of
// all where that has no path.
func (c *checker) node(n *node, within block, s *scope) {
	b, isBlock := find(c.blocks, join(within.path, n.Name))
	switch {
	case n.Block && !isBlock:
		c.errorAt(n.Pos, "unknown block %s%s", n.Name, where(within)+suggestion(n.Name, inside(c.blocks, within.path)))
	case !n.Block && isBlock:
		c.errorAt(n.Pos, "%s is a block; write %s { key = value; }", n.Name, n.Name)
	case !n.Block && within.path == "":
		c.errorAt(n.Pos, "%s stands outside of all blocks%s", n.Name, c.home(n.Name))
	case !n.Block:
		c.key(n, within, s)
	case strings.EqualFold(b.path, "EXPORT_DEFAULTS/CLIENT"):
		c.defaults = append(c.defaults, n)
	default:
		if b.repeats {
			c.seen[n] = map[string]Pos{}
		}
		for _, child := range n.Children {
			c.node(child, b, s.of(b, n))
		}
	}
}

// of is the scope of a block inside s.
func (s *scope) of(b block, n *node) *scope {
	inner := *s
	if b.repeats {
		inner.instance = n
	}
	return &inner
}

func where(b block) string {
	if b.path == "" {
		return ""
	}
	return " in " + b.path
}

// home names the block that has a key of that name.
func (c *checker) home(name string) string {
	for _, b := range c.blocks {
		if k, ok := b.key(name); ok {
			return "; " + k.name + " belongs in " + b.path
		}
	}
	return ""
}

// key sets one key of block b.
func (c *checker) key(n *node, b block, s *scope) {
	k, ok := b.key(n.Name)
	if !ok {
		var names []string
		for _, k := range b.keys {
			names = append(names, k.name)
		}
		hint := suggestion(n.Name, names)
		if hint == "" {
			hint = c.home(n.Name)
		}
		c.errorAt(n.Pos, "unknown key %s in %s%s", n.Name, b.path, hint)
		return
	}
	values := make([]string, len(n.Values))
	for i, v := range n.Values {
		values[i] = v.Text
	}
	v, err := k.kind.read(values)
	switch {
	case k.effect == idle && err != nil:
		c.warningAt(n.Pos, "%s has no effect here, and its value is wrong: %v", k.name, err)
		return
	case k.effect == idle:
		c.warningAt(n.Pos, "%s has no effect here", k.name)
	case err != nil:
		c.errorAt(n.Pos, "%s: %v", k.name, err)
		return
	}
	again := c.repeated(n, k, b, s)
	if k.into == nil {
		return
	}
	into := k.into(s)
	if list, ok := into.(*[]string); ok && again && k.kind.choices == nil {
		v = append(*list, v.([]string)...)
	}
	store(into, v)
	c.origins[into] = n.Pos
}

// repeated notes where a key is set, and reports whether it was before. Lists of
// words add up; of others the last counts.
func (c *checker) repeated(n *node, k key, b block, s *scope) bool {
	keys := c.once
	if s.instance != nil {
		keys = c.seen[s.instance]
	}
	name := join(b.path, k.name)
	before, again := keys[name]
	keys[name] = n.Pos
	if again && (!k.kind.many || k.kind.choices != nil) {
		c.warningAt(n.Pos, "%s is set again; this one counts, not that at %s", k.name, before)
	}
	return again
}

// export reads an EXPORT block. Its keys come before its client lists, which
// begin with what it permits.
func (c *checker) export(n *node, x *Export) {
	b, _ := find(c.blocks, "EXPORT")
	fsal, _ := find(c.blocks, "EXPORT/FSAL")
	c.seen[n] = map[string]Pos{}
	x.Pos, x.Permissions = n.Pos, c.Defaults
	s := &scope{settings: &c.Settings, export: x, perms: &x.Permissions, instance: n}
	setDefaults(fsal, s)
	setDefaults(block{keys: exportKeys}, s)
	var clients []*node
	hasFSAL := false
	for _, child := range n.Children {
		hasFSAL = hasFSAL || child.Block && strings.EqualFold(child.Name, "FSAL")
		if child.Block && strings.EqualFold(child.Name, "CLIENT") {
			clients = append(clients, child)
			continue
		}
		c.node(child, b, s)
	}
	clients = append(clients, c.defaults...)
	x.Clients = make([]Client, len(clients))
	for i, child := range clients {
		cl := &x.Clients[i]
		cl.Permissions = x.Permissions
		c.node(child, b, &scope{settings: &c.Settings, export: x, client: cl, perms: &cl.Permissions})
	}
	if !hasFSAL {
		c.errorAt(n.Pos, "the export has no FSAL block")
	}
	c.place(x)
	c.unserved(x)
	c.beyond(x, s, b, fsal)
}

// place checks what says where an export is.
func (c *checker) place(x *Export) {
	idPos, hasID := c.origins[&x.ID]
	pathPos, hasPath := c.origins[&x.Path]
	pseudoPos, hasPseudo := c.origins[&x.Pseudo]
	if !hasID {
		c.errorAt(x.Pos, "the export has no Export_Id")
	}
	switch {
	case !hasPath:
		c.errorAt(x.Pos, "the export has no Path")
	case x.FSAL.Is(VFS, CEPH) && !filepath.IsAbs(x.Path):
		c.errorAt(pathPos, "Path: %q is not absolute", x.Path)
	case x.FSAL.Is(CEPH) && x.FSAL.MountPath != "" && !within(x.Path, x.FSAL.MountPath):
		c.errorAt(pathPos, "Path: %s is not in the cmount_path %s", x.Path, x.FSAL.MountPath)
	}
	switch {
	case !hasPseudo && slices.Contains(x.Permissions.Protocols, "4"):
		c.errorAt(x.Pos, "the export has no Pseudo")
	case hasPseudo && !path.IsAbs(x.Pseudo):
		c.errorAt(pseudoPos, "Pseudo: %q is not absolute", x.Pseudo)
	case hasPseudo:
		x.Pseudo = path.Clean(x.Pseudo)
	}
	if hasID && x.ID == 0 && x.Pseudo != "/" {
		c.errorAt(idPos, "Export_Id: 0 is for the export whose Pseudo is /")
	}
}

// within reports whether path is dir or lies in it.
func within(name, dir string) bool {
	name, dir = path.Clean(name), path.Clean(dir)
	return dir == "/" || name == dir || strings.HasPrefix(name, dir+"/")
}

// unserved warns of an export that no client may use by NFSv4.
func (c *checker) unserved(x *Export) {
	has4 := func(p *Permissions) bool { return slices.Contains(p.Protocols, "4") }
	if !has4(&x.Permissions) && !slices.ContainsFunc(x.Clients, func(cl Client) bool { return has4(&cl.Permissions) }) {
		c.warningAt(c.origin(&x.Permissions.Protocols, x.Pos), "Protocols = %s: without 4 the export is not served", show(&x.Permissions.Protocols))
	}
}

// beyond notes what an export asks for and cannot have.
func (c *checker) beyond(x *Export, s *scope, b, fsal block) {
	refuse := func(pos Pos, format string, args ...any) {
		f := warningAt(pos, "%s, so this export cannot be served", fmt.Sprintf(format, args...))
		x.Beyond = append(x.Beyond, f)
		c.Findings = append(c.Findings, f)
	}
	for _, k := range slices.Concat(b.keys, fsal.keys) {
		if text, ok := c.unfit(k, s); !ok {
			refuse(c.origin(k.into(s), x.Pos), "%s", text)
		}
	}
}

// whole notes what is asked of the server and cannot be done.
func (c *checker) whole(s *scope) {
	for _, path := range []string{"NFS_CORE_PARAM", "NFSv4"} {
		b, _ := find(c.blocks, path)
		for _, k := range b.keys {
			if text, ok := c.unfit(k, s); !ok && k.def != "" {
				f := warningAt(c.origin(k.into(s), Pos{}), "%s, so this configuration cannot be served", text)
				c.Beyond = append(c.Beyond, f)
				c.Findings = append(c.Findings, f)
			}
		}
	}
}

// unfit says how a guarded setting differs from what can be honoured.
func (c *checker) unfit(k key, s *scope) (text string, ok bool) {
	if k.effect != guarded || k.only == "" {
		return "", true
	}
	from := k.into(s)
	can := strings.Fields(k.only)
	if list, many := from.(*[]string); many {
		if slices.ContainsFunc(can, func(v string) bool { return slices.Contains(*list, v) }) {
			return "", true
		}
		return fmt.Sprintf("%s = %s cannot be honoured without %s", k.name, show(from), strings.Join(can, " or ")), false
	}
	if slices.ContainsFunc(can, func(v string) bool { return strings.EqualFold(v, show(from)) }) {
		return "", true
	}
	return fmt.Sprintf("%s = %s cannot be honoured; %s can", k.name, show(from), strings.Join(can, " or ")), false
}

func (c *checker) origin(into any, otherwise Pos) Pos {
	if pos, set := c.origins[into]; set {
		return pos
	}
	return otherwise
}

// clashes finds exports with the same number or place.
func (c *checker) clashes() {
	ids, places := map[uint64]Pos{}, map[string]Pos{}
	for i := range c.Exports {
		x := &c.Exports[i]
		if pos, set := c.origins[&x.ID]; set {
			if first, taken := ids[x.ID]; taken {
				c.errorAt(pos, "Export_Id: %d is that of the export at %s", x.ID, first)
			} else {
				ids[x.ID] = x.Pos
			}
		}
		if pos, set := c.origins[&x.Pseudo]; set {
			if first, taken := places[x.Pseudo]; taken {
				c.errorAt(pos, "Pseudo: %s is that of the export at %s", x.Pseudo, first)
			} else {
				places[x.Pseudo] = x.Pos
			}
		}
	}
}
