package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	xdr2 "github.com/rasky/go-xdr/xdr2"
)

// The structures of RFC 5662 and RFC 7863 as another XDR library takes them.
type (
	refStateid struct {
		Seqid uint32
		Other [12]byte
	}
	refFAttr struct {
		Mask   []uint32
		Values []byte
	}
	refOwner struct {
		ClientID uint64
		Owner    []byte
	}
	refTime struct {
		Seconds  int64
		Nseconds uint32
	}
	refACE struct {
		Type, Flag, Mask uint32
		Who              string
	}
	refCreateHow struct {
		Mode      uint32   `xdr:"union"`
		Unchecked refFAttr `xdr:"unioncase=0"`
		Guarded   refFAttr `xdr:"unioncase=1"`
		Exclusive [8]byte  `xdr:"unioncase=2"`
		Verf      [8]byte  `xdr:"unioncase=3"`
		Attrs     refFAttr `xdr:"unioncase=3"`
	}
	refOpenHow struct {
		OpenType uint32       `xdr:"union"`
		How      refCreateHow `xdr:"unioncase=1"`
	}
	refOpenClaim struct {
		Claim        uint32     `xdr:"union"`
		File         []byte     `xdr:"unioncase=0"`
		DelegateType uint32     `xdr:"unioncase=1"`
		CurStateid   refStateid `xdr:"unioncase=2"`
		CurFile      []byte     `xdr:"unioncase=2"`
		PrevFile     []byte     `xdr:"unioncase=3"`
		FHStateid    refStateid `xdr:"unioncase=5"`
	}
	refOpenArgs struct {
		Seqid, Access, Deny uint32
		Owner               refOwner
		How                 refOpenHow
		Claim               refOpenClaim
	}
	refLocker struct {
		New       bool       `xdr:"union"`
		OpenSeqid uint32     `xdr:"unioncase=1"`
		Open      refStateid `xdr:"unioncase=1"`
		LockSeqid uint32     `xdr:"unioncase=1"`
		Owner     refOwner   `xdr:"unioncase=1"`
		Lock      refStateid `xdr:"unioncase=0"`
		Seqid     uint32     `xdr:"unioncase=0"`
	}
	refLockArgs struct {
		Type           uint32
		Reclaim        bool
		Offset, Length uint64
		Locker         refLocker
	}
	refImplID struct {
		Domain, Name string
		Date         refTime
	}
	refSSV struct {
		Enforce, Allow     []uint32
		Hash, Encr         [][]byte
		Window, NumHandles uint32
	}
	refStateProtect struct {
		How     uint32   `xdr:"union"`
		Enforce []uint32 `xdr:"unioncase=1"`
		Allow   []uint32 `xdr:"unioncase=1"`
		SSV     refSSV   `xdr:"unioncase=2"`
	}
	refExchangeIDArgs struct {
		Verifier [8]byte
		OwnerID  []byte
		Flags    uint32
		Protect  refStateProtect
		ImplID   []refImplID
	}
	refSetattrArgs struct {
		Stateid refStateid
		Attrs   refFAttr
	}
	refNetAddr struct{ NetID, Addr string }
	refNetLoc  struct {
		Type uint32     `xdr:"union"`
		Name []byte     `xdr:"unioncase=1"`
		URL  []byte     `xdr:"unioncase=2"`
		Addr refNetAddr `xdr:"unioncase=3"`
	}
	refCopyArgs struct {
		Src, Dst                    refStateid
		SrcOffset, DstOffset, Count uint64
		Consecutive, Synchronous    bool
		Source                      []refNetLoc
	}
	refACL struct{ ACEs []refACE }
)

func TestAgainstReference(t *testing.T) {
	st := Stateid{3, [12]byte{1, 2, 3}}
	refSt := refStateid{3, [12]byte{1, 2, 3}}
	owner, refOwn := StateOwner{9, []byte("owner")}, refOwner{9, []byte("owner")}
	attrs, refAttrs := FAttr{Bitmap{16, 2}, []byte("123456789abc")}, refFAttr{[]uint32{16, 2}, []byte("123456789abc")}
	ref, addr := []byte("file"), NetAddr{"tcp", "10.0.0.1.8.1"}
	open := func(how CreateHow, claim OpenClaim) OpenArgs {
		return OpenArgs{1, 2, 3, owner, OpenCreate, how, claim}
	}
	refOpen := func(how refCreateHow, claim refOpenClaim) refOpenArgs {
		return refOpenArgs{1, 2, 3, refOwn, refOpenHow{1, how}, claim}
	}
	for _, c := range []struct {
		ours   Body
		theirs any
	}{
		{open(CreateHow{Mode: Unchecked, CreateAttrs: attrs}, OpenClaim{Claim: ClaimNull, File: ref}),
			refOpen(refCreateHow{Mode: 0, Unchecked: refAttrs}, refOpenClaim{Claim: 0, File: ref})},
		{open(CreateHow{Mode: Exclusive, CreateVerf: Verifier{1}}, OpenClaim{Claim: ClaimPrevious, DelegateType: 2}),
			refOpen(refCreateHow{Mode: 2, Exclusive: [8]byte{1}}, refOpenClaim{Claim: 1, DelegateType: 2})},
		{open(CreateHow{Mode: Exclusive41, CreateVerf: Verifier{1}, CreateAttrs: attrs}, OpenClaim{Claim: ClaimDelegateCur, DelegateStateid: st, File: ref}),
			refOpen(refCreateHow{Mode: 3, Verf: [8]byte{1}, Attrs: refAttrs}, refOpenClaim{Claim: 2, CurStateid: refSt, CurFile: ref})},
		{open(CreateHow{Mode: Guarded, CreateAttrs: attrs}, OpenClaim{Claim: ClaimDelegatePrev, File: ref}),
			refOpen(refCreateHow{Mode: 1, Guarded: refAttrs}, refOpenClaim{Claim: 3, PrevFile: ref})},
		{OpenArgs{Owner: owner, Claim: OpenClaim{Claim: ClaimFH}},
			refOpenArgs{Owner: refOwn, Claim: refOpenClaim{Claim: 4}}},
		{OpenArgs{Owner: owner, Claim: OpenClaim{Claim: ClaimDelegCurFH, DelegateStateid: st}},
			refOpenArgs{Owner: refOwn, Claim: refOpenClaim{Claim: 5, FHStateid: refSt}}},
		{LockArgs{WriteLT, true, 5, 6, true, OpenToLockOwner{7, st, 8, owner}, ExistLockOwner{}},
			refLockArgs{2, true, 5, 6, refLocker{New: true, OpenSeqid: 7, Open: refSt, LockSeqid: 8, Owner: refOwn}}},
		{LockArgs{LockType: ReadLT, LockOwner: ExistLockOwner{st, 8}},
			refLockArgs{Type: 1, Locker: refLocker{Lock: refSt, Seqid: 8}}},
		{ExchangeIDArgs{ClientOwner{Verifier{1}, []byte("me")}, 7, StateProtectArgs{How: SPNone}, &ImplID{[]byte("d"), []byte("nn"), Time{-5, 6}}},
			refExchangeIDArgs{[8]byte{1}, []byte("me"), 7, refStateProtect{}, []refImplID{{"d", "nn", refTime{-5, 6}}}}},
		{ExchangeIDArgs{StateProtect: StateProtectArgs{How: SPSSV, SSV: SSVParms{
			StateProtectOps{Bitmap{1}, Bitmap{2, 3}}, [][]byte{{1}, {2, 3}}, nil, 4, 5,
		}}}, refExchangeIDArgs{Protect: refStateProtect{How: 2, SSV: refSSV{[]uint32{1}, []uint32{2, 3}, [][]byte{{1}, {2, 3}}, nil, 4, 5}}}},
		{SetattrArgs{st, attrs}, refSetattrArgs{refSt, refAttrs}},
		{CopyArgs{st, st, 1, 2, 3, true, false, []NetLoc{{Type: NetLocNetAddr, Addr: addr}, {Type: NetLocURL, URL: ref}}},
			refCopyArgs{refSt, refSt, 1, 2, 3, true, false, []refNetLoc{{Type: 3, Addr: refNetAddr(addr)}, {Type: 2, URL: ref}}}},
		{ACL{[]ACE{{ACETypeAccessDenied, 2, 3, []byte("EVERYONE@")}}}, refACL{[]refACE{{1, 2, 3, "EVERYONE@"}}}},
	} {
		var want bytes.Buffer
		if _, err := xdr2.Marshal(&want, c.theirs); err != nil {
			t.Fatal(err)
		}
		if got := encode(c.ours); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%+v:\n got %x\nwant %x", c.ours, got, want.Bytes())
		}
	}
}

// plain says whether v's type means the same to the other library: no unions,
// options or bitmaps.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return false
	case reflect.Slice:
		return plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			tag := t.Field(i).Tag.Get("xdr")
			if tag != "" && tag[:4] != "max=" || !plain(t.Field(i).Type) {
				return false
			}
		}
	}
	return t != reflect.TypeFor[Bitmap]() && t != reflect.TypeFor[Entry]()
}

func TestPlainTypesAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	n := 0
	for _, c := range codecs() {
		v, b := c.random(t, r)
		if !plain(reflect.TypeOf(v)) {
			continue
		}
		n++
		var want bytes.Buffer
		if _, err := xdr2.Marshal(&want, v); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !bytes.Equal(b, want.Bytes()) {
			t.Errorf("%s: %+v:\n got %x\nwant %x", c.name, v, b, want.Bytes())
		}
	}
	if n < 50 {
		t.Errorf("only %d types compared", n)
	}
}
