package nfs4

import (
	"bytes"
	"unicode/utf8"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// xattrs returns the current file as one with extended attributes.
func (c *compound) xattrs() (fsal.Xattrs, wire.Status) {
	n, status := c.node()
	if status != wire.OK {
		return nil, status
	}
	x, ok := n.(fsal.Xattrs)
	if !ok {
		return nil, wire.ErrNotSupp
	}
	return x, wire.OK
}

// xattrName checks a name as component does, but for what only paths have:
// nothing is made of a name (RFC 8276, 8.1).
func xattrName(name []byte) (string, wire.Status) {
	switch {
	case len(name) > maxName:
		return "", wire.ErrNameTooLong
	case len(name) == 0, !utf8.Valid(name), bytes.IndexByte(name, 0) >= 0:
		return "", wire.ErrInval
	}
	return string(name), wire.OK
}

// named returns the current file and the name of one of its attributes.
func (c *compound) named(name []byte) (fsal.Xattrs, string, wire.Status) {
	x, status := c.xattrs()
	if status != wire.OK {
		return nil, "", status
	}
	s, status := xattrName(name)
	return x, s, status
}

func (c *compound) getxattr(a wire.GetxattrArgs) wire.Status {
	x, name, status := c.named(a.Name)
	if status != wire.OK {
		return status
	}
	value, err := x.Xattr(&c.req, name)
	if err != nil {
		return c.statusOf(err)
	}
	c.out.Opaque(value)
	return wire.OK
}

func (c *compound) setxattr(a wire.SetxattrArgs) wire.Status {
	if a.Option > wire.SetxattrReplace {
		return wire.ErrInval
	}
	return c.changeXattr(a.Key, func(x fsal.Xattrs, name string) (fsal.DirChange, error) {
		return x.SetXattr(&c.req, name, a.Value, fsal.XattrMode(a.Option))
	})
}

func (c *compound) removexattr(a wire.RemovexattrArgs) wire.Status {
	return c.changeXattr(a.Name, func(x fsal.Xattrs, name string) (fsal.DirChange, error) {
		return x.RemoveXattr(&c.req, name)
	})
}

// changeXattr runs do once no delegation of others is in its way (RFC 8276,
// 8.4.2.4 and 8.4.4.4).
func (c *compound) changeXattr(key []byte, do func(fsal.Xattrs, string) (fsal.DirChange, error)) wire.Status {
	x, name, status := c.named(key)
	if status != wire.OK {
		return status
	}
	if status := c.recall(c.cur.node); status != wire.OK {
		return status
	}
	change, err := do(x, name)
	if err != nil {
		return c.statusOf(err)
	}
	changeInfo(change).Encode(c.out)
	return wire.OK
}

// roomXattrs is the room of a list without names.
const roomXattrs = 8 + 4 + 4

// listxattrs takes as many names as there is room for. A cookie is how many
// went before it; maxcount counts all of the result (RFC 8276, 8.4.3.3).
func (c *compound) listxattrs(a wire.ListxattrsArgs) wire.Status {
	x, status := c.xattrs()
	if status != wire.OK {
		return status
	}
	names, err := x.ListXattrs(&c.req)
	if err != nil {
		return c.statusOf(err)
	}
	from := min(a.Cookie, uint64(len(names)))
	rest, room := names[from:], min(int(a.MaxCount), c.room())-roomXattrs
	n := 0
	for ; n < len(rest); n++ {
		if room -= 4 + (len(rest[n])+3)&^3; room < 0 {
			break
		}
	}
	switch {
	case a.MaxCount < roomXattrs:
		return wire.ErrTooSmall
	case n > 0 || len(rest) == 0:
	case int(a.MaxCount) <= c.room():
		return wire.ErrTooSmall
	default:
		return c.tooBig
	}
	c.out.Uint64(from + uint64(n))
	c.out.Uint32(uint32(n))
	for _, name := range rest[:n] {
		c.out.String(name)
	}
	c.out.Bool(n == len(rest))
	return wire.OK
}
