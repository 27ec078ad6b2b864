package config

import (
	"slices"
	"strings"
)

// effect says what a key does in this server.
type effect int

const (
	idle    effect = iota // known to ganesha; nothing here depends on it
	used                  // does what it says
	guarded               // only the values in key.only can be honoured; others are refused
)

// key is one row of the table.
type key struct {
	name   string
	kind   kind
	def    string // "": none
	doc    string
	effect effect
	only   string // where guarded, the values that can be honoured; of a list, the one it must hold
	into   func(*scope) any
	secret bool // never shown
}

// scope is where the keys of a block go.
type scope struct {
	settings *Settings
	export   *Export
	client   *Client
	perms    *Permissions
	instance *node // the innermost block that counts by itself
}

// block is a block and its keys. Its path is the names of the blocks around it
// and its own.
type block struct {
	path    string
	doc     string
	repeats bool // each one counts by itself
	keys    []key
}

// The table: everything that ganesha's configurations may hold.
func table() []block {
	return slices.Concat(coreBlocks(), exportBlocks(), fsalBlocks(), logBlocks(), otherBlocks())
}

// blockNames are other names of outermost blocks.
var blockNames = map[string]string{"cacheinode": "MDCACHE", "_9p": "9P"}

// find returns the block of that path, in any case of letters.
func find(blocks []block, path string) (block, bool) {
	if name, ok := blockNames[strings.ToLower(path)]; ok {
		path = name
	}
	i := slices.IndexFunc(blocks, func(b block) bool { return strings.EqualFold(b.path, path) })
	if i < 0 {
		return block{}, false
	}
	return blocks[i], true
}

func (b block) key(name string) (key, bool) {
	i := slices.IndexFunc(b.keys, func(k key) bool { return strings.EqualFold(k.name, name) })
	if i < 0 {
		return key{}, false
	}
	return b.keys[i], true
}

// inside returns the names of the blocks that stand in the block at path.
func inside(blocks []block, path string) (names []string) {
	for _, b := range blocks {
		parent, name := split(b.path)
		if strings.EqualFold(parent, path) {
			names = append(names, name)
		}
	}
	return names
}

// split takes the last name off a path.
func split(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "/" + name
}

// suggestion names the one of names that name was most likely meant to be.
func suggestion(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance counts the bytes to add, drop or change that lead from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := above
			if a[i] != b[j] {
				cost++
			}
			above = row[j+1]
			row[j+1] = min(cost, row[j]+1, above+1)
		}
	}
	return row[len(b)]
}
