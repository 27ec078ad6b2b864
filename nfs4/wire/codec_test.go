package wire

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidegate/tidegate/xdr"
)

// A codec decodes one type of the package.
type codec struct {
	name   string
	decode bodyDecoder
}

// codecs returns every type that stands in a message by itself.
func codecs() []codec {
	var all []codec
	add := func(name string, f bodyDecoder) {
		if f != nil {
			all = append(all, codec{name, f})
		}
	}
	for _, o := range ops {
		if o.args != nil {
			add(o.Name+"/args", func(d *xdr.Decoder) Body { return o.args(d) })
			add(o.Name+"/ok", o.ok)
			add(o.Name+"/other", o.other)
		}
	}
	for _, o := range cbOps {
		if o.args != nil {
			add(o.Name+"/args", func(d *xdr.Decoder) Body { return o.args(d) })
			add(o.Name+"/ok", o.ok)
		}
	}
	for _, f := range []bodyDecoder{
		body(DecodeCompoundArgs), body(DecodeCompoundRes), body(DecodeCbCompoundArgs), body(DecodeCbCompoundRes),
		body(DecodeACL), body(DecodeACL41), body(DecodeModeMasked), body(DecodeModeUmask), body(DecodeSetTime),
		body(DecodeRetentionGet), body(DecodeRetentionSet), body(DecodeSecLabel), body(DecodeOpenArguments),
		body(DecodeChangePolicy), body(DecodeFSLocations), body(DecodeFSLocationsInfo), body(DecodeFSStatus),
		body(DecodeLayoutTypes), body(DecodeLayoutHint), body(DecodeMDSThreshold),
		body(DecodeNotifyAdd), body(DecodeNotifyRename), body(DecodeNotifyVerifier),
		body(DecodeNotifyDeviceIDDelete), body(DecodeNotifyDeviceIDChange),
	} {
		add(reflect.TypeOf(f(new(xdr.Decoder))).Name(), f)
	}
	return all
}

// random returns a value of c's type that its codec accepts.
func (c codec) random(t testing.TB, r *rand.Rand) (Body, []byte) {
	t.Helper()
	for range 10000 {
		v := reflect.New(reflect.TypeOf(c.decode(new(xdr.Decoder)))).Elem()
		fill(r, v)
		b := encode(v.Interface().(Body))
		if d := xdr.NewDecoder(b); c.decode(&d) != nil && d.Err() == nil {
			return v.Interface().(Body), b
		}
	}
	t.Fatalf("%s: no value without an unknown discriminant", c.name)
	return nil, nil
}

// fill sets v and all in it at random, with small numbers for discriminants.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(r.Uint64() >> (64 - v.Type().Bits()))
	case reflect.Uint32:
		v.SetUint(uint64(r.Uint32N(9)))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.String:
		v.SetString(strings.Repeat("x", 1+r.IntN(4)))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(4), 4))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Pointer:
		if r.IntN(2) == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	}
}

func encode(v Body) []byte {
	var e xdr.Encoder
	v.Encode(&e)
	return e.Bytes()
}

// lost reports a field of want that got lacks although no arm of a union leaves
// it out, and notes which arms' fields were seen.
func lost(path string, want, got reflect.Value, seen map[string]bool) string {
	switch {
	case want.Kind() == reflect.Slice && want.Type().Elem().Kind() == reflect.Struct && want.Len() == got.Len():
		for i := range want.Len() {
			if at := lost(path, want.Index(i), got.Index(i), seen); at != "" {
				return at
			}
		}
		return ""
	case want.Kind() != reflect.Struct:
		if !cmp.Equal(want.Interface(), got.Interface(), cmpopts.EquateEmpty()) {
			return path
		}
		return ""
	}
	for i := range want.NumField() {
		f := want.Type().Field(i)
		name := want.Type().Name() + "." + f.Name
		if strings.Contains(f.Tag.Get("xdr"), "case=") {
			seen[name] = seen[name] || !got.Field(i).IsZero()
			if got.Field(i).IsZero() {
				continue
			}
		}
		if at := lost(name, want.Field(i), got.Field(i), seen); at != "" {
			return at
		}
	}
	return ""
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for _, c := range codecs() {
		for range 100 {
			v, b := c.random(t, r)
			d := xdr.NewDecoder(b)
			got := c.decode(&d)
			if d.Err() != nil || d.Remaining() != 0 {
				t.Fatalf("%s: %v, %d bytes left, of %+v", c.name, d.Err(), d.Remaining(), v)
			}
			if again := encode(got); !bytes.Equal(b, again) {
				t.Fatalf("%s: %x became %x", c.name, b, again)
			}
			if at := lost(c.name, reflect.ValueOf(v), reflect.ValueOf(got), seen); at != "" {
				t.Fatalf("%s: %s changed: %s", c.name, at, cmp.Diff(v, got))
			}
		}
	}
	for name, ok := range seen {
		if !ok {
			t.Errorf("no value came with %s", name)
		}
	}
}

func TestEveryPrefixFails(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range codecs() {
		for range 3 {
			v, b := c.random(t, r)
			for n := range b {
				d := xdr.NewDecoder(b[:n])
				if c.decode(&d); d.Err() == nil {
					t.Fatalf("%s: %d of the %d bytes of %+v decode", c.name, n, len(b), v)
				}
			}
		}
	}
}

// allocated returns how many bytes f allocates: the least of some runs, since the
// runtime may allocate beside it.
func allocated(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// A word in the wrong place may be a count; no count allocates more than the
// input that follows could fill.
func TestHostileCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range codecs() {
		_, b := c.random(t, r)
		for off := 0; off+4 <= len(b); off += 4 {
			for _, count := range []string{"\x08\x00\x00\x00", "\x7f\xff\xff\xff", "\xff\xff\xff\xff"} {
				bad := bytes.Clone(b)
				copy(bad[off:], count)
				n := allocated(func() {
					d := xdr.NewDecoder(bad)
					c.decode(&d)
				})
				if limit := uint64(4096 + 64*len(bad)); n > limit {
					t.Fatalf("%s: %d bytes of input with %x at %d allocate %d", c.name, len(bad), count, off, n)
				}
			}
		}
	}
}

func TestHugeACL(t *testing.T) {
	in := make([]byte, 1<<20)
	copy(in, "\x08\x00\x00\x00")
	n := allocated(func() {
		d := xdr.NewDecoder(in)
		if acl := DecodeACL(&d); d.Err() != xdr.ErrLimit || acl.ACEs != nil {
			t.Errorf("2^27 entries: %v, %d decoded", d.Err(), len(acl.ACEs))
		}
	})
	if n > 4096 {
		t.Errorf("2^27 entries allocate %d bytes", n)
	}
}

func TestLimits(t *testing.T) {
	long := func(n int) []byte { return make([]byte, n) }
	for _, c := range []struct {
		name  string
		fits  Body
		above Body
		as    bodyDecoder
	}{
		{"file handle", PutFHArgs{long(128)}, PutFHArgs{long(129)}, body(DecodePutFHArgs)},
		{"state owner", StateOwner{Owner: long(1024)}, StateOwner{Owner: long(1025)}, body(DecodeStateOwner)},
		{"client owner", ClientOwner{OwnerID: long(1024)}, ClientOwner{OwnerID: long(1025)}, body(DecodeClientOwner)},
		{"server owner", ServerOwner{MajorID: long(1024)}, ServerOwner{MajorID: long(1025)}, body(DecodeServerOwner)},
		{"scope", ExchangeIDRes{ServerScope: long(1024)}, ExchangeIDRes{ServerScope: long(1025)}, body(DecodeExchangeIDRes)},
		{"tag", CompoundArgs{Tag: long(1024)}, CompoundArgs{Tag: long(1025)}, body(DecodeCompoundArgs)},
		{"AUTH_SYS groups", AuthSysParms{GIDs: make([]uint32, 16)}, AuthSysParms{GIDs: make([]uint32, 17)}, body(DecodeAuthSysParms)},
		{"AUTH_SYS machine", AuthSysParms{MachineName: long(255)}, AuthSysParms{MachineName: long(256)}, body(DecodeAuthSysParms)},
		{"ACL", ACL{make([]ACE, aclLimit)}, ACL{make([]ACE, aclLimit+1)}, body(DecodeACL)},
		{"flavors", SecinfoRes{make([]SecinfoFlavor, 64)}, SecinfoRes{make([]SecinfoFlavor, 65)}, body(DecodeSecinfoRes)},
	} {
		d := xdr.NewDecoder(encode(c.fits))
		if c.as(&d); d.Err() != nil {
			t.Errorf("%s at its limit: %v", c.name, d.Err())
		}
		d = xdr.NewDecoder(encode(c.above))
		if c.as(&d); d.Err() != xdr.ErrLimit {
			t.Errorf("%s above its limit: %v", c.name, d.Err())
		}
	}
}

func TestUnknownDiscriminants(t *testing.T) {
	for _, c := range []struct {
		v  Body
		as bodyDecoder
		ok bool
	}{
		{OpenClaim{Claim: 7}, body(DecodeOpenClaim), false},
		{CreateHow{Mode: 4}, body(DecodeCreateHow), false},
		{OpenDelegation{Type: 6}, body(DecodeOpenDelegation), false},
		{StateProtectArgs{How: 3}, body(DecodeStateProtectArgs), false},
		{CallbackSecParms{SecFlavor: 7}, body(DecodeCallbackSecParms), false},
		{NetLoc{Type: 0}, body(DecodeNetLoc), false},
		// RFC 8881, 18.4.3: the server answers BADTYPE.
		{CreateArgs{ObjType: 99}, body(DecodeCreateArgs), true},
		{SecinfoFlavor{Flavor: 390003}, body(DecodeSecinfoFlavor), true},
		{LayoutReturnArgs{ReturnType: 9}, body(DecodeLayoutReturnArgs), true},
		// An enum that nothing depends on is the operation's to judge.
		{WriteArgs{Stable: 3}, body(DecodeWriteArgs), true},
		{LockuArgs{LockType: 99}, body(DecodeLockuArgs), true},
	} {
		d := xdr.NewDecoder(encode(c.v))
		c.as(&d)
		if ok := d.Err() == nil; ok != c.ok || !ok && d.Err() != xdr.ErrValue {
			t.Errorf("%+v: %v", c.v, d.Err())
		}
	}
}
