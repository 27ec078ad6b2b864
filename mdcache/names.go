package mdcache

import "unsafe"

// name is a name in a directory.
type name struct {
	dir  uint64 // node.serial
	text string
}

// link is where a name led, nil for nowhere, when the directory had that Change. The
// node has no reference here.
type link struct {
	to     *node
	change uint64
	sure   bool // another Change shows every change since
}

const linkCost = int64(unsafe.Sizeof(item[name, link]{})) + 32 // the slot, and what slots are empty

// find returns where a name leads in the directory with that Change.
func (n *node) find(text string, change uint64) (to *node, known bool) {
	l, ok := n.fs.names.find(name{n.serial, text})
	known = ok && l.sure && l.change == change
	n.count(lookups, known)
	return l.to, known
}

// last returns where a name led when that was known last, or nil.
func (n *node) last(text string) *node {
	l, _ := n.fs.names.find(name{n.serial, text})
	return l.to
}

// changed forgets where a name led: that is about to change.
func (n *node) changed(text string) { n.fs.names.drop(name{n.serial, text}) }

// note remembers where a name leads. A node that is gone is kept from the collector
// by its names, so these pay for it.
func (n *node) note(text string, l link) {
	cost := linkCost + int64(len(text))
	if l.to != nil {
		cost += nodeCost
	}
	n.fs.names.put(name{n.serial, text}, l, cost)
}
