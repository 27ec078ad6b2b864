package nfs4

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/dchest/siphash"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

// A file handle is a format byte, the export's id (4 bytes), the fsal.Key, and a
// tag (8 bytes) of all that, which nobody can make who has not the key.
const (
	handleFormat = 1
	handleHead   = 5
	handleTag    = 8
	maxHandle    = handleHead + fsal.MaxKey + handleTag
)

// HandleKeySize is the length of Config.HandleKey in bytes.
const HandleKeySize = 32

// seal makes the tags of file handles: SipHash-2-4.
type seal struct{ k0, k1 uint64 }

// newSeal derives the seal of a key, or of a random one if there is none. The key
// itself may serve other purposes as well.
func newSeal(key []byte) (seal, error) {
	switch len(key) {
	case HandleKeySize:
	case 0:
		key = make([]byte, HandleKeySize)
		rand.Read(key)
	default:
		return seal{}, fmt.Errorf("a key for file handles has %d bytes, not %d", HandleKeySize, len(key))
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "tidegate file handle", 16)
	if err != nil {
		return seal{}, err
	}
	return seal{binary.LittleEndian.Uint64(derived), binary.LittleEndian.Uint64(derived[8:])}, nil
}

func (s seal) tag(b []byte) uint64 { return siphash.Hash(s.k0, s.k1, b) }

// appendFH appends the file handle of an object as an opaque.
func appendFH(out *xdr.Encoder, e *export, key *fsal.Key) {
	n := handleHead + key.Len() + handleTag
	out.Uint32(uint32(n))
	b := append(out.Grow(n)[:0], handleFormat)
	b = key.AppendTo(binary.BigEndian.AppendUint32(b, e.ID))
	binary.BigEndian.AppendUint64(b, e.seal.tag(b))
	out.Pad(n)
}

// parseHandle finds the export of a file handle that a client sent: BADHANDLE
// if no server with this key made it (RFC 8881, 15.1.2.1), STALE if its export
// is gone.
func (t *tree) parseHandle(fh wire.FH) (*export, fsal.Key, wire.Status) {
	body := len(fh) - handleTag
	if body <= handleHead || fh[0] != handleFormat {
		return nil, fsal.Key{}, wire.ErrBadHandle
	}
	key, ok := fsal.MakeKey(fh[handleHead:body])
	if !ok || binary.BigEndian.Uint64(fh[body:]) != t.seal.tag(fh[:body]) {
		return nil, fsal.Key{}, wire.ErrBadHandle
	}
	e := t.exports[binary.BigEndian.Uint32(fh[1:])]
	if e == nil {
		return nil, fsal.Key{}, wire.ErrStale
	}
	return e, key, wire.OK
}
