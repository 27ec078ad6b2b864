package mdcache

import (
	"unsafe"
	"weak"
)

// name is a name in a directory.
type name struct {
	dir  uint64 // node.serial
	text string
}

// link is where a name led, the zero pointer for nowhere, when the directory had that
// Change. It keeps no node.
type link struct {
	to     weak.Pointer[node]
	change uint64
	sure   bool // another Change shows every change since
}

// linkCost is what a link takes, with its slot and the empty ones beside it, and what
// the collector has for a weak pointer.
const linkCost = int64(unsafe.Sizeof(item[name, link]{})) + 64

// find reports whether it is known where a name leads in the directory with that
// Change. It is nowhere if that is missing.
func (n *node) find(text string, change uint64) (to *node, missing, known bool) {
	l, ok := n.fs.names.find(name{n.serial, text})
	known = ok && l.sure && l.change == change
	n.count(lookups, known)
	return l.to.Value(), l.to == weak.Pointer[node]{}, known
}

// last returns where a name led when that was known last, or nil.
func (n *node) last(text string) *node {
	l, _ := n.fs.names.find(name{n.serial, text})
	return l.to.Value()
}

// changed forgets where a name led: that is about to change.
func (n *node) changed(text string) { n.fs.names.drop(name{n.serial, text}) }

// note remembers where a name leads, nil for nowhere.
func (n *node) note(text string, to *node, change uint64, sure bool) {
	l := link{weak.Make(to), change, sure}
	n.fs.names.put(name{n.serial, text}, l, linkCost+int64(len(text)))
}
