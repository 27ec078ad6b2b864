package wire

import (
	"math"

	"github.com/tidegate/tidegate/xdr"
)

// ReaddirRes is the result of READDIR, as a client holds it.
type ReaddirRes struct {
	CookieVerf Verifier
	Entries    []Entry
	EOF        bool
}

// Entry is a directory entry (entry4).
type Entry struct {
	Cookie uint64
	Name   []byte
	Attrs  FAttr
}

// ReaddirOverhead is the size of a ReaddirRes without entries.
const ReaddirOverhead = 8 + 4 + 4

// AppendEntry appends an entry up to its attributes, which the caller appends
// as an FAttr. Entries follow the READDIR's cookie verifier.
func AppendEntry(e *xdr.Encoder, cookie uint64, name string) {
	e.Bool(true)
	e.Uint64(cookie)
	e.String(name)
}

// EndEntries appends what follows the last entry.
func EndEntries(e *xdr.Encoder, eof bool) {
	e.Bool(false)
	e.Bool(eof)
}

// Encode appends v.
func (v ReaddirRes) Encode(e *xdr.Encoder) {
	e.Fixed(v.CookieVerf[:])
	for i := range v.Entries {
		e.Bool(true)
		e.Uint64(v.Entries[i].Cookie)
		e.Opaque(v.Entries[i].Name)
		v.Entries[i].Attrs.Encode(e)
	}
	EndEntries(e, v.EOF)
}

// DecodeReaddirRes reads a ReaddirRes.
func DecodeReaddirRes(d *xdr.Decoder) (v ReaddirRes) {
	copy(v.CookieVerf[:], d.Fixed(len(v.CookieVerf)))
	for d.Bool() {
		var entry Entry
		entry.Cookie = d.Uint64()
		entry.Name = d.Opaque(math.MaxInt32)
		entry.Attrs = DecodeFAttr(d)
		v.Entries = append(v.Entries, entry)
	}
	v.EOF = d.Bool()
	return v
}
