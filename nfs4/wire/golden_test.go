package wire

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidegate/tidegate/xdr"
)

var (
	testSession = SessionID{0: 0x51, 15: 0x5f}
	testStateid = Stateid{Seqid: 7, Other: [12]byte{0: 0xa0, 11: 0xab}}
)

const (
	hexSession = "51000000 00000000 00000000 0000005f "
	hexStateid = "00000007 a0000000 00000000 000000ab "
)

// The bytes are written down from RFC 5662, RFC 7863 and RFC 8276.
var goldenArgs = []struct {
	name string
	args Args
	want string
}{
	{"SEQUENCE", SequenceArgs{testSession, 5, 1, 9, true},
		"00000035" + hexSession + "00000005 00000001 00000009 00000001"},
	{"PUTFH of five bytes", PutFHArgs{FH("\x01\x02\x03\x04\x05")},
		"00000016 00000005 01020304 05000000"},
	{"GETFH", GetFHArgs{}, "0000000a"},
	{"READ", ReadArgs{testStateid, 1 << 32, 4096},
		"00000019" + hexStateid + "00000001 00000000 00001000"},
	{"WRITE of three bytes", WriteArgs{testStateid, 2, FileSync, []byte("abc")},
		"00000026" + hexStateid + "00000000 00000002 00000002 00000003 61626300"},
	{"GETATTR of size and mode", GetattrArgs{BitmapOf(AttrSize, AttrMode)},
		"00000009 00000002 00000010 00000002"},
	{"SETATTR of size", SetattrArgs{testStateid, FAttr{BitmapOf(AttrSize), []byte{7: 9}}},
		"00000022" + hexStateid + "00000001 00000010 00000008 00000000 00000009"},
	{"CREATE of a symbolic link", CreateArgs{ObjType: TypeLnk, LinkData: []byte("to"), ObjName: []byte("from")},
		"00000006 00000005 00000002 746f0000 00000004 66726f6d 00000000 00000000"},
	{"CREATE of a device", CreateArgs{ObjType: TypeChr, DevData: SpecData{4, 64}, ObjName: []byte("tty0")},
		"00000006 00000004 00000004 00000040 00000004 74747930 00000000 00000000"},
	{"CREATE of a directory", CreateArgs{ObjType: TypeDir, ObjName: []byte("d")},
		"00000006 00000002 00000001 64000000 00000000 00000000"},
	{"OPEN that creates", OpenArgs{
		ShareAccess: OpenShareAccessBoth, ShareDeny: OpenShareDenyNone,
		Owner:    StateOwner{3, []byte("own")},
		OpenType: OpenCreate,
		How:      CreateHow{Mode: Guarded, CreateAttrs: FAttr{BitmapOf(AttrMode), []byte{2: 1, 3: 0xa4}}},
		Claim:    OpenClaim{Claim: ClaimNull, File: []byte("f")},
	}, "00000012 00000000 00000003 00000000 00000000 00000003 00000003 6f776e00" +
		"00000001 00000001 00000002 00000000 00000002 00000004 000001a4" +
		"00000000 00000001 66000000"},
	{"OPEN, exclusive with attributes", OpenArgs{
		OpenType: OpenCreate,
		How:      CreateHow{Mode: Exclusive41, CreateVerf: Verifier{7: 1}, CreateAttrs: FAttr{BitmapOf(AttrMode), []byte{3: 1}}},
		Claim:    OpenClaim{Claim: ClaimNull, File: []byte("f")},
	}, "00000012 00000000 00000000 00000000 00000000 00000000 00000000" +
		"00000001 00000003 00000000 00000001 00000002 00000000 00000002 00000004 00000001" +
		"00000000 00000001 66000000"},
	{"OPEN by delegation and name", OpenArgs{Claim: OpenClaim{Claim: ClaimDelegateCur, DelegateStateid: testStateid, File: []byte("f")}},
		"00000012 00000000 00000000 00000000 00000000 00000000 00000000 00000000" +
			"00000002" + hexStateid + "00000001 66000000"},
	{"OPEN that reclaims", OpenArgs{Claim: OpenClaim{Claim: ClaimPrevious, DelegateType: OpenDelegateWrite}},
		"00000012 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000002"},
	{"LOCK of a new owner", LockArgs{
		LockType: WriteLT, Reclaim: true, Offset: 1, Length: 2, NewLockOwner: true,
		OpenOwner: OpenToLockOwner{4, testStateid, 5, StateOwner{6, []byte("lock")}},
	}, "0000000c 00000002 00000001 00000000 00000001 00000000 00000002 00000001" +
		"00000004" + hexStateid + "00000005 00000000 00000006 00000004 6c6f636b"},
	{"LOCK of an old owner", LockArgs{LockType: ReadLT, Length: 2, LockOwner: ExistLockOwner{testStateid, 5}},
		"0000000c 00000001 00000000 00000000 00000000 00000000 00000002 00000000" + hexStateid + "00000005"},
	{"EXCHANGE_ID", ExchangeIDArgs{
		ClientOwner:  ClientOwner{Verifier{7: 8}, []byte("me")},
		Flags:        ExchgidFlagSuppMovedRefer,
		StateProtect: StateProtectArgs{How: SPMachCred, MachOps: StateProtectOps{Bitmap{1}, Bitmap{}}},
		ClientImplID: &ImplID{[]byte("d"), []byte("n"), Time{-1, 2}},
	}, "0000002a 00000000 00000008 00000002 6d650000 00000001" +
		"00000001 00000001 00000001 00000000" +
		"00000001 00000001 64000000 00000001 6e000000 ffffffff ffffffff 00000002"},
	{"CREATE_SESSION", CreateSessionArgs{
		ClientID: 1, Sequence: 2, Flags: CreateSessionFlagConnBackChan,
		ForeChanAttrs: ChannelAttrs{0, 10, 11, 12, 13, 14, nil},
		BackChanAttrs: ChannelAttrs{0, 20, 21, 22, 23, 24, new(uint32)},
		CbProgram:     0x40000000,
		SecParms:      []CallbackSecParms{{SecFlavor: AuthNone}, {SecFlavor: AuthSys, SysCred: AuthSysParms{1, []byte("m"), 2, 3, []uint32{4}}}},
	}, "0000002b 00000000 00000001 00000002 00000002" +
		"00000000 0000000a 0000000b 0000000c 0000000d 0000000e 00000000" +
		"00000000 00000014 00000015 00000016 00000017 00000018 00000001 00000000" +
		"40000000 00000002 00000000 00000001 00000001 00000001 6d000000 00000002 00000003 00000001 00000004"},
	{"COPY from here", CopyArgs{testStateid, testStateid, 1, 2, 3, true, false, nil},
		"0000003c" + hexStateid + hexStateid + "00000000 00000001 00000000 00000002 00000000 00000003" +
			"00000001 00000000 00000000"},
	{"SEEK", SeekArgs{testStateid, 8, ContentHole},
		"00000045" + hexStateid + "00000000 00000008 00000001"},
	{"SETXATTR", SetxattrArgs{SetxattrReplace, []byte("k"), []byte("v")},
		"00000049 00000002 00000001 6b000000 00000001 76000000"},
	{"LAYOUTRETURN of everything", LayoutReturnArgs{LayoutType: LayoutFlexFiles, IOMode: LayoutIOModeAny, ReturnType: LayoutReturnAll},
		"00000033 00000000 00000004 00000003 00000003"},
}

var goldenResults = []struct {
	name string
	res  Result
	want string
}{
	{"SEQUENCE", Result{OpSequence, OK, SequenceRes{testSession, 5, 1, 9, 10, Seq4StatusLeaseMoved}},
		"00000035 00000000" + hexSession + "00000005 00000001 00000009 0000000a 00000080"},
	{"READ", Result{OpRead, OK, ReadRes{true, []byte("abcde")}},
		"00000019 00000000 00000001 00000005 61626364 65000000"},
	{"READ that failed", Result{OpRead, ErrIO, nil}, "00000019 00000005"},
	{"WRITE", Result{OpWrite, OK, WriteRes{3, DataSync, Verifier{0: 1}}},
		"00000026 00000000 00000003 00000001 01000000 00000000"},
	{"SETATTR that failed", Result{OpSetattr, ErrPerm, SetattrRes{Bitmap{16}}},
		"00000022 00000001 00000001 00000010"},
	{"LOCK, denied", Result{OpLock, ErrDenied, LockDenied{1, 2, WriteLT, StateOwner{3, []byte("o")}}},
		"0000000c 0000271a 00000000 00000001 00000000 00000002 00000002 00000000 00000003 00000001 6f000000"},
	{"LOCKT", Result{OpLockt, OK, nil}, "0000000d 00000000"},
	{"GETDEVICEINFO, too small", Result{OpGetDeviceInfo, ErrTooSmall, GetDeviceInfoTooSmall{512}},
		"0000002f 00002715 00000200"},
	{"READDIR", Result{OpReaddir, OK, ReaddirRes{
		Verifier{7: 1},
		[]Entry{{3, []byte("a"), FAttr{}}, {4, []byte("bc"), FAttr{Bitmap{16}, []byte{7: 1}}}},
		true,
	}}, "0000001a 00000000 00000000 00000001" +
		"00000001 00000000 00000003 00000001 61000000 00000000 00000000" +
		"00000001 00000000 00000004 00000002 62630000 00000001 00000010 00000008 00000000 00000001" +
		"00000000 00000001"},
	{"OPEN with a write delegation", Result{OpOpen, OK, OpenRes{
		testStateid, ChangeInfo{true, 1, 2}, OpenResultLocktypePosix, Bitmap{},
		OpenDelegation{
			Type: OpenDelegateWrite, Stateid: testStateid, Recall: true,
			SpaceLimit:  SpaceLimit{LimitBy: LimitBlocks, NumBlocks: 5, BytesPerBlock: 512},
			Permissions: ACE{ACETypeAccessDenied, 1, 2, []byte("w")},
		},
	}}, "00000012 00000000" + hexStateid + "00000001 00000000 00000001 00000000 00000002 00000004 00000000" +
		"00000002" + hexStateid + "00000001 00000002 00000005 00000200 00000001 00000001 00000002 00000001 77000000"},
	{"OPEN that may wait for a delegation", Result{OpOpen, OK, OpenRes{
		Delegation: OpenDelegation{Type: OpenDelegateNoneExt, WhyNone: NoneDelegation{Why: WNDResource, ServerWillSignalAvail: true}},
	}}, "00000012 00000000" + strings.Repeat("00000000 ", 4+5+1+1) + "00000003 00000002 00000001"},
	{"GET_DIR_DELEGATION, unavailable", Result{OpGetDirDelegation, OK, GetDirDelegationRes{Status: GDDUnavail}},
		"0000002e 00000000 00000001 00000000"},
	{"LAYOUTRETURN that leaves nothing", Result{OpLayoutReturn, OK, LayoutReturnRes{}},
		"00000033 00000000 00000000"},
	{"COPY, synchronous", Result{OpCopy, OK, CopyRes{WriteResponse{nil, 3, FileSync, Verifier{}}, CopyRequirements{true, true}}},
		"0000003c 00000000 00000000 00000000 00000003 00000002 00000000 00000000 00000001 00000001"},
	{"COPY, unmet requirements", Result{OpCopy, ErrOffloadNoReqs, CopyRequirements{false, true}},
		"0000003c 0000276e 00000000 00000001"},
	{"READ_PLUS", Result{OpReadPlus, OK, ReadPlusRes{true, []ReadPlusContent{
		{Content: ContentHole, Offset: 0, Length: 16}, {Content: ContentData, Offset: 16, Data: []byte("x")},
	}}}, "00000044 00000000 00000001 00000002 00000001 00000000 00000000 00000000 00000010" +
		"00000000 00000000 00000010 00000001 78000000"},
	{"LISTXATTRS", Result{OpListxattrs, OK, ListxattrsRes{7, [][]byte{[]byte("k")}, true}},
		"0000004a 00000000 00000000 00000007 00000001 00000001 6b000000 00000001"},
	{"ILLEGAL", Result{OpIllegal, ErrOpIllegal, nil}, "0000273c 0000273c"},
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenArgs(t *testing.T) {
	for _, c := range goldenArgs {
		var e xdr.Encoder
		EncodeArgs(&e, c.args)
		want := unhex(t, c.want)
		if !bytes.Equal(e.Bytes(), want) {
			t.Errorf("%s:\n got %x\nwant %x", c.name, e.Bytes(), want)
		}
		d := xdr.NewDecoder(want)
		got, err := DecodeArgs(Op(d.Uint32()), &d)
		if err != nil || d.Remaining() != 0 {
			t.Errorf("%s: %v, %d bytes left", c.name, err, d.Remaining())
		}
		if diff := cmp.Diff(c.args, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestGoldenResults(t *testing.T) {
	for _, c := range goldenResults {
		want := unhex(t, c.want)
		if got := encode(c.res); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", c.name, got, want)
		}
		d := xdr.NewDecoder(want)
		got := DecodeResult(&d)
		if d.Err() != nil || d.Remaining() != 0 {
			t.Errorf("%s: %v, %d bytes left", c.name, d.Err(), d.Remaining())
		}
		if diff := cmp.Diff(c.res, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestGoldenCallbacks(t *testing.T) {
	for _, c := range []struct {
		name string
		args CbArgs
		want string
	}{
		{"CB_RECALL", CbRecallArgs{testStateid, true, FH("f")},
			"00000004" + hexStateid + "00000001 00000001 66000000"},
		{"CB_GETATTR", CbGetattrArgs{FH("f"), BitmapOf(AttrChange, AttrSize)},
			"00000003 00000001 66000000 00000001 00000018"},
		{"CB_SEQUENCE", CbSequenceArgs{testSession, 1, 2, 3, false, []ReferringCallList{{testSession, []ReferringCall{{4, 5}}}}},
			"0000000b" + hexSession + "00000001 00000002 00000003 00000000" +
				"00000001" + hexSession + "00000001 00000004 00000005"},
		{"CB_RECALL_ANY", CbRecallAnyArgs{3, BitmapOf(RCATypeMaskRDataDlg, RCATypeMaskWDataDlg)},
			"00000008 00000003 00000001 00000003"},
		{"CB_LAYOUTRECALL of a file system", CbLayoutRecallArgs{
			Type: LayoutFlexFiles, IOMode: LayoutIOModeRW, Changed: true, RecallType: LayoutReturnFSID, FSID: FSID{1, 2},
		}, "00000005 00000004 00000002 00000001 00000002 00000000 00000001 00000000 00000002"},
		{"CB_OFFLOAD of a failure", CbOffloadArgs{FH("f"), testStateid, OffloadInfo{Status: ErrIO, BytesCopied: 9}},
			"0000000f 00000001 66000000" + hexStateid + "00000005 00000000 00000009"},
		{"CB_NOTIFY_LOCK", CbNotifyLockArgs{FH("f"), StateOwner{1, []byte("o")}},
			"0000000d 00000001 66000000 00000000 00000001 00000001 6f000000"},
	} {
		var e xdr.Encoder
		EncodeCbArgs(&e, c.args)
		want := unhex(t, c.want)
		if !bytes.Equal(e.Bytes(), want) {
			t.Errorf("%s:\n got %x\nwant %x", c.name, e.Bytes(), want)
		}
		d := xdr.NewDecoder(want)
		got, err := DecodeCbArgs(CbOp(d.Uint32()), &d)
		if err != nil || d.Remaining() != 0 {
			t.Errorf("%s: %v, %d bytes left", c.name, err, d.Remaining())
		}
		if diff := cmp.Diff(c.args, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestCallbackResults(t *testing.T) {
	for _, c := range []struct {
		res  CbResult
		want string
	}{
		{CbResult{OpCbRecall, OK, nil}, "00000004 00000000"},
		{CbResult{OpCbGetattr, OK, CbGetattrRes{FAttr{Bitmap{16}, []byte{7: 1}}}},
			"00000003 00000000 00000001 00000010 00000008 00000000 00000001"},
		{CbResult{OpCbSequence, OK, CbSequenceRes{testSession, 1, 2, 3, 4}},
			"0000000b 00000000" + hexSession + "00000001 00000002 00000003 00000004"},
		{CbResult{OpCbSequence, ErrBadSession, nil}, "0000000b 00002744"},
		{CbResult{OpCbIllegal, ErrOpIllegal, nil}, "0000273c 0000273c"},
	} {
		want := unhex(t, c.want)
		if got := encode(c.res); !bytes.Equal(got, want) {
			t.Errorf("%v: %x, not %x", c.res.Op, got, want)
		}
		d := xdr.NewDecoder(want)
		got := DecodeCbResult(&d)
		if diff := cmp.Diff(c.res, got, cmpopts.EquateEmpty()); diff != "" || d.Err() != nil || d.Remaining() != 0 {
			t.Errorf("%v: %v, %d bytes left: %s", c.res.Op, d.Err(), d.Remaining(), diff)
		}
	}
}

func TestUnknownOps(t *testing.T) {
	for _, op := range []Op{0, 2, OpRemovexattr + 1, 10043, OpIllegal, ^Op(0)} {
		var d xdr.Decoder
		if a, err := DecodeArgs(op, &d); a != nil || err != xdr.ErrValue {
			t.Errorf("arguments of %v: %v, %v", op, a, err)
		}
		d = xdr.NewDecoder(encode(Result{Op: op}))
		if DecodeResult(&d); (d.Err() == nil) != (op == OpIllegal) {
			t.Errorf("result of %v: %v", op, d.Err())
		}
	}
	for _, op := range []CbOp{0, 2, OpCbOffload + 1, OpCbIllegal, ^CbOp(0)} {
		var d xdr.Decoder
		if a, err := DecodeCbArgs(op, &d); a != nil || err != xdr.ErrValue {
			t.Errorf("arguments of %v: %v, %v", op, a, err)
		}
		d = xdr.NewDecoder(encode(CbResult{Op: op}))
		if DecodeCbResult(&d); (d.Err() == nil) != (op == OpCbIllegal) {
			t.Errorf("result of %v: %v", op, d.Err())
		}
	}
}

// What is appended piece by piece is what ReaddirRes and FAttr append.
func TestAppend(t *testing.T) {
	want := ReaddirRes{
		Verifier{1},
		[]Entry{
			{3, []byte("a"), FAttr{Bitmap{16}, []byte{7: 1}}},
			{4, []byte("abcd"), FAttr{Bitmap{0, 2}, []byte{3: 9}}},
		},
		true,
	}
	var e xdr.Encoder
	e.Fixed(want.CookieVerf[:])
	for _, entry := range want.Entries {
		AppendEntry(&e, entry.Cookie, string(entry.Name))
		values := StartFAttr(&e, entry.Attrs.Mask)
		e.Raw(entry.Attrs.Values)
		FinishFAttr(&e, values)
	}
	EndEntries(&e, want.EOF)
	if got := e.Bytes(); !bytes.Equal(got, encode(want)) {
		t.Errorf("\n got %x\nwant %x", got, encode(want))
	}
	if n := len(encode(ReaddirRes{})); n != ReaddirOverhead {
		t.Errorf("without entries %d bytes, not %d", n, ReaddirOverhead)
	}
}
