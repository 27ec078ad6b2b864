package suite

import (
	"math"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

var layoutTests = []Test{
	{"LAYOUT1", 0, "18.43.3", "a server without pNFS refuses LAYOUTGET, for every type and mode", layoutGet},
	{"LAYOUT2", 0, "18.40.3", "GETDEVICEINFO of a device that nobody has is refused, for every type", layoutDevice},
	{"LAYOUT3", 0, "18.42.3", "LAYOUTCOMMIT without a layout is refused", layoutCommit},
	{"LAYOUT4", 0, "18.44.3", "LAYOUTRETURN without a layout changes nothing", layoutReturn},
	{"LAYOUT5", Minor2, "RFC 7862, 14.2.4", "GETDEVICELIST is NOTSUPP", layoutDeviceList},
	{"LAYOUT6", 0, "5.12.1", "a server without pNFS has no layout types", layoutTypes},
	{"LAYOUT7", Minor2, "RFC 7862, 15.6.3", "LAYOUTERROR and LAYOUTSTATS without a layout are refused, or ignored", layoutReports},
}

// noPNFS skips the test if the server says that it has layouts.
func (t *T) noPNFS() {
	if t.Session().Client.Info.Flags&wire.ExchgidFlagUsePNFSMDS != 0 {
		t.Skip("the server has layouts")
	}
}

// layoutKinds are layout types, of which the server need not know any.
func layoutKinds() []wire.LayoutType {
	return []wire.LayoutType{0, wire.LayoutNFSv41Files, wire.LayoutOSD2Objects, wire.LayoutBlockVolume,
		wire.LayoutFlexFiles, 5, 31, 32, 33, 63, 64, 1 << 31, math.MaxUint32}
}

func layoutGet(t *T) {
	t.noPNFS()
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	want := []wire.Status{wire.ErrNotSupp, wire.ErrLayoutUnavailable, wire.ErrUnknownLayoutType, wire.ErrBadXDR}
	for _, typ := range layoutKinds() {
		for _, mode := range []wire.LayoutIOMode{wire.LayoutIOModeRead, wire.LayoutIOModeRW} {
			t.ExpectAny(want, on(f.FH, wire.LayoutGetArgs{
				LayoutType: typ, IOMode: mode, Length: math.MaxUint64, MinLength: 4096, Stateid: f.Stateid, MaxCount: 4096,
			})...)
		}
	}
	s.Write(f, 0, []byte("data"))
}

func layoutDevice(t *T) {
	t.noPNFS()
	want := []wire.Status{wire.ErrNotSupp, wire.ErrNoEnt, wire.ErrUnknownLayoutType, wire.ErrInval, wire.ErrBadXDR}
	for _, typ := range layoutKinds() {
		for _, device := range []wire.DeviceID{{}, {15: 1}, {0: 0xff, 8: 0xff}} {
			t.ExpectAny(want, wire.GetDeviceInfoArgs{DeviceID: device, LayoutType: typ, MaxCount: 4096})
		}
	}
}

func layoutCommit(t *T) {
	t.noPNFS()
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	want := []wire.Status{wire.ErrNotSupp, wire.ErrBadLayout, wire.ErrUnknownLayoutType, wire.ErrBadStateid, wire.ErrNoMatchingLayout, wire.ErrBadXDR}
	last := uint64(1 << 20)
	for _, typ := range layoutKinds() {
		t.ExpectAny(want, on(f.FH, wire.LayoutCommitArgs{
			Length: 4096, Stateid: f.Stateid, LastWriteOffset: &last, LayoutUpdate: wire.LayoutUpdate{Type: typ},
		})...)
	}
	if size := s.Attrs(f.FH, wire.AttrSize).Size; size != 0 {
		t.Fatalf("size is %d", size)
	}
}

func layoutReturn(t *T) {
	t.noPNFS()
	s := t.Session()
	f := s.Create(t.Dir(), "file")
	want := []wire.Status{wire.OK, wire.ErrNotSupp, wire.ErrUnknownLayoutType, wire.ErrBadStateid, wire.ErrInval, wire.ErrBadXDR}
	for _, typ := range layoutKinds() {
		for _, what := range []wire.LayoutReturnType{wire.LayoutReturnFile, wire.LayoutReturnFSID, wire.LayoutReturnAll} {
			t.ExpectAny(want, on(f.FH, wire.LayoutReturnArgs{
				LayoutType: typ, IOMode: wire.LayoutIOModeAny, ReturnType: what,
				Layout: wire.LayoutReturnRange{Length: math.MaxUint64, Stateid: f.Stateid},
			})...)
		}
	}
	s.Write(f, 0, []byte("data"))
	s.Close(f)
}

func layoutDeviceList(t *T) {
	t.Expect(wire.ErrNotSupp, on(t.Dir(), wire.GetDeviceListArgs{LayoutType: wire.LayoutNFSv41Files, MaxDevices: 10})...)
}

func layoutTypes(t *T) {
	t.noPNFS()
	for _, a := range []wire.Attr{wire.AttrFSLayoutTypes, wire.AttrLayoutTypes} {
		value, ok := t.Session().Values(t.Dir(), wire.BitmapOf(a))[a]
		if !ok {
			continue
		}
		d := xdr.NewDecoder(value)
		if types := wire.DecodeLayoutTypes(&d).Types; len(types) != 0 {
			t.Errorf("%v is %v", a, types)
		}
	}
}

func layoutReports(t *T) {
	t.noPNFS()
	f := t.Session().Create(t.Dir(), "file")
	want := []wire.Status{wire.OK, wire.ErrNotSupp, wire.ErrUnknownLayoutType, wire.ErrBadStateid, wire.ErrNoEnt, wire.ErrInval}
	t.ExpectAny(want, on(f.FH, wire.LayoutErrorArgs{Length: 4096, Stateid: f.Stateid, Errors: []wire.DeviceError{
		{DeviceID: wire.DeviceID{1}, Status: wire.ErrNXIO, Op: wire.OpRead},
	}})...)
	t.ExpectAny(want, on(f.FH, wire.LayoutStatsArgs{Length: 4096, Stateid: f.Stateid, LayoutUpdate: wire.LayoutUpdate{Type: wire.LayoutFlexFiles}})...)
	t.Session().Write(f, 0, []byte("data"))
}
