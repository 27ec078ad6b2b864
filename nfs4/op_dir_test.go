package nfs4

import (
	"strings"
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func mkdir(name string) wire.CreateArgs {
	return wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte(name)}
}

// saved returns operations that save the object at one path and go on to another.
func saved(from, to string, ops ...wire.Args) []wire.Args {
	return append(at(from, wire.SaveFHArgs{}), at(to, ops...)...)
}

// Every operation that takes a name judges it alike.
func TestNames(t *testing.T) {
	names := []struct {
		name string
		want wire.Status
	}{
		{"", wire.ErrInval},
		{".", wire.ErrBadName},
		{"..", wire.ErrBadName},
		{"a/b", wire.ErrBadName},
		{"/", wire.ErrBadName},
		{"a\x00", wire.ErrBadName},
		{strings.Repeat("n", 256), wire.ErrNameTooLong},
		{strings.Repeat("n", 100_000), wire.ErrNameTooLong},
	}
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.ok(at(firstPath, mkdir("d"))...)
	for _, tt := range names {
		name := []byte(tt.name)
		for _, ops := range [][]wire.Args{
			at(firstPath, wire.LookupArgs{ObjName: name}),
			at(firstPath, wire.CreateArgs{ObjType: wire.TypeDir, ObjName: name}),
			at(firstPath, wire.RemoveArgs{Target: name}),
			at(firstPath, wire.SecinfoArgs{Name: name}),
			saved(firstPath, firstPath, wire.RenameArgs{OldName: name, NewName: []byte("x")}),
			saved(firstPath, firstPath, wire.RenameArgs{OldName: []byte("d"), NewName: name}),
			saved(firstPath, firstPath, wire.LinkArgs{NewName: name}),
			at("/", wire.LookupArgs{ObjName: name}),
		} {
			c.fails(tt.want, ops...)
		}
	}
	for _, name := range []string{"\xff", "caf\xc3", "a", "...", ".a", "caf\u00e9", "\u6587", strings.Repeat("n", 255), "a b\n"} {
		c.ok(at(firstPath, mkdir(name))...)
		c.ok(at(firstPath, wire.LookupArgs{ObjName: []byte(name)})...)
	}
}

// Where names must be UTF-8, the names that are not are told from those that are not there.
func TestNamesUTF8(t *testing.T) {
	c := connect(t, newServerOf(t, Config{Exports: twoExports(t), UTF8: true}), 2)
	for _, name := range []string{"\xff", "caf\xc3"} {
		c.fails(wire.ErrInval, at(firstPath, mkdir(name))...)
		c.fails(wire.ErrInval, at(firstPath, wire.LookupArgs{ObjName: []byte(name)})...)
	}
	c.ok(at(firstPath, mkdir("caf\u00e9"))...)
}

// What each operation answers where the current or the saved file handle is of
// the wrong type.
func TestWrongTypes(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	x := []byte("x")
	tests := []struct {
		op                 wire.Args
		file, symlink, dir wire.Status
	}{
		{wire.LookupArgs{ObjName: x}, wire.ErrNotDir, wire.ErrSymlink, wire.ErrNoEnt},
		{wire.LookuppArgs{}, wire.ErrNotDir, wire.ErrNotDir, wire.OK},
		{mkdir("x"), wire.ErrNotDir, wire.ErrNotDir, wire.OK},
		{wire.RemoveArgs{Target: x}, wire.ErrNotDir, wire.ErrNotDir, wire.OK},
		{wire.ReaddirArgs{MaxCount: 512}, wire.ErrNotDir, wire.ErrNotDir, wire.OK},
		{wire.SecinfoArgs{Name: x}, wire.ErrNotDir, wire.ErrNotDir, wire.ErrNoEnt},
		{wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleParent}, wire.ErrNotDir, wire.ErrNotDir, wire.OK},
		{wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleCurrentFH}, wire.OK, wire.OK, wire.OK},
		{wire.ReadlinkArgs{}, wire.ErrWrongType, wire.OK, wire.ErrWrongType},
	}
	for _, tt := range tests {
		for name, want := range map[string]wire.Status{"reg": tt.file, "fifo": tt.file, "lnk": tt.symlink, "dir": tt.dir} {
			if status, _ := c.run(at(firstPath+"/"+name, tt.op)...); status != want {
				t.Errorf("%v of %s: %v, want %v", tt.op.Op(), name, status, want)
			}
		}
	}
	dir, reg := firstPath+"/dir", firstPath+"/reg"
	rename := wire.RenameArgs{OldName: x, NewName: x}
	link := wire.LinkArgs{NewName: x}
	c.fails(wire.ErrNotDir, saved(reg, dir, rename)...)
	c.fails(wire.ErrNotDir, saved(dir, reg, rename)...)
	c.fails(wire.ErrNotDir, saved(reg, reg, link)...)
	c.fails(wire.ErrIsDir, saved(dir, dir, link)...)
	c.fails(wire.ErrNoFileHandle, at(dir, rename)...)
	c.fails(wire.ErrNoFileHandle, at(dir, link)...)
}

func TestCreate(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	device := wire.SpecData{Major: 8, Minor: 1}
	name := []byte("made")
	for _, a := range []wire.CreateArgs{
		{ObjType: wire.TypeDir}, {ObjType: wire.TypeLnk, LinkData: []byte("to/\xff")},
		{ObjType: wire.TypeBlk, DevData: device}, {ObjType: wire.TypeChr, DevData: device},
		{ObjType: wire.TypeSock}, {ObjType: wire.TypeFifo},
	} {
		before := c.change(firstPath)
		a.ObjName = name
		a.CreateAttrs = fattr(value{wire.AttrOwner, text("9")}, value{wire.AttrModeUmask, words(0o777, 0o027)})
		_, results := c.run(at(firstPath, a, wire.GetattrArgs{AttrRequest: wire.BitmapOf(wire.AttrType, wire.AttrMode, wire.AttrOwner, wire.AttrRawDev)})...)
		made, ok := results[len(results)-2].Body.(wire.CreateRes)
		if !ok {
			t.Errorf("type %d: %v", a.ObjType, results)
			continue
		}
		if made.AttrSet != a.CreateAttrs.Mask {
			t.Errorf("type %d: attrset %v", a.ObjType, made.AttrSet)
		}
		if !made.CInfo.Atomic || made.CInfo.Before != before || made.CInfo.After != c.change(firstPath) || made.CInfo.After <= before {
			t.Errorf("type %d: %+v, before %d, after %d", a.ObjType, made.CInfo, before, c.change(firstPath))
		}
		mode := uint32(0o750)
		if a.ObjType == wire.TypeLnk {
			mode = 0o777
		}
		want := fattr(value{wire.AttrType, word32(uint32(a.ObjType))}, value{wire.AttrMode, word32(mode)},
			value{wire.AttrOwner, text("9")}, value{wire.AttrRawDev, words(a.DevData.Major, a.DevData.Minor)})
		if got := results[len(results)-1].Body.(wire.GetattrRes).ObjAttributes; string(got.Values) != string(want.Values) {
			t.Errorf("type %d: %v, want %v", a.ObjType, got, want)
		}
		if a.ObjType == wire.TypeLnk {
			if got := c.ok(at(firstPath+"/made", wire.ReadlinkArgs{})...).(wire.ReadlinkRes).Link; string(got) != string(a.LinkData) {
				t.Errorf("the link reads %q", got)
			}
		}
		c.fails(wire.ErrExist, at(firstPath, a)...)
		c.ok(at(firstPath, wire.RemoveArgs{Target: name})...)
	}
}

// change returns the change attribute of the object at a path.
func (c *session) change(path string) uint64 {
	c.t.Helper()
	d := xdr.NewDecoder(c.attrs(path, wire.AttrChange).Values)
	return d.Uint64()
}

func TestCreateRefused(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	link := func(text string) wire.CreateArgs {
		return wire.CreateArgs{ObjType: wire.TypeLnk, LinkData: []byte(text)}
	}
	with := func(vs ...value) wire.CreateArgs {
		return wire.CreateArgs{ObjType: wire.TypeDir, CreateAttrs: fattr(vs...)}
	}
	tests := []struct {
		args wire.CreateArgs
		want wire.Status
	}{
		{wire.CreateArgs{ObjType: wire.TypeReg}, wire.ErrBadType},
		{wire.CreateArgs{ObjType: wire.TypeAttrDir}, wire.ErrBadType},
		{wire.CreateArgs{ObjType: wire.TypeNamedAttr}, wire.ErrBadType},
		{wire.CreateArgs{ObjType: 0}, wire.ErrBadType},
		{wire.CreateArgs{ObjType: 1 << 31}, wire.ErrBadType},
		{link(""), wire.ErrInval},
		{link(strings.Repeat("l", 4096)), wire.ErrNameTooLong},
		{with(value{wire.AttrSize, word64(0)}), wire.ErrInval},
		{with(value{wire.AttrModeSetMasked, words(0, 0)}), wire.ErrInval},
		{with(value{wire.AttrType, word32(2)}), wire.ErrInval},
		{with(value{wire.AttrArchive, word32(0)}), wire.ErrAttrNotSupp},
		{with(value{wire.AttrOwner, text("somebody")}), wire.ErrBadOwner},
	}
	for _, tt := range tests {
		tt.args.ObjName = []byte("x")
		if status, _ := c.run(at(firstPath, tt.args)...); status != tt.want {
			t.Errorf("%+v: %v, want %v", tt.args, status, tt.want)
		}
	}
	c.fails(wire.ErrNoEnt, at(firstPath, wire.LookupArgs{ObjName: []byte("x")})...)
	c.ok(at(firstPath, wire.CreateArgs{ObjType: wire.TypeLnk, LinkData: []byte(strings.Repeat("l", 4095)), ObjName: []byte("x")})...)
}

// The pseudo file system does not change.
func TestPseudoReadOnly(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	x := []byte("x")
	c.fails(wire.ErrROFS, at("/", mkdir("x"))...)
	c.fails(wire.ErrROFS, at("/", wire.RemoveArgs{Target: []byte("one")})...)
	c.fails(wire.ErrROFS, at("/deep", wire.RemoveArgs{Target: []byte("two")})...)
	c.fails(wire.ErrROFS, saved("/", "/", wire.RenameArgs{OldName: []byte("one"), NewName: x})...)
	c.fails(wire.ErrXDev, saved("/", firstPath, wire.RenameArgs{OldName: []byte("one"), NewName: x})...)
}

func TestRename(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	c.ok(at(firstPath, mkdir("full"))...)
	c.ok(at(firstPath+"/full", mkdir("d"))...)
	tests := []struct {
		from, to         string
		oldName, newName string
		want             wire.Status
	}{
		{firstPath, firstPath, "none", "x", wire.ErrNoEnt},
		{firstPath, firstPath, "reg", "dir", wire.ErrExist},
		{firstPath, firstPath, "dir", "reg", wire.ErrExist},
		{firstPath, firstPath, "dir", "full", wire.ErrExist},
		{firstPath, firstPath + "/full/d", "full", "x", wire.ErrInval},
		{firstPath, secondPath, "reg", "x", wire.ErrXDev},
		{firstPath, firstPath, "reg", "reg", wire.OK},
		{firstPath, firstPath, "reg", "fifo", wire.OK},
		{firstPath, firstPath + "/full", "fifo", "moved", wire.OK},
	}
	for _, tt := range tests {
		op := wire.RenameArgs{OldName: []byte(tt.oldName), NewName: []byte(tt.newName)}
		source, target := c.change(tt.from), c.change(tt.to)
		status, results := c.run(saved(tt.from, tt.to, op)...)
		if status != tt.want {
			t.Errorf("%s/%s to %s/%s: %v, want %v", tt.from, tt.oldName, tt.to, tt.newName, status, tt.want)
		}
		if status != wire.OK {
			continue
		}
		got := results[len(results)-1].Body.(wire.RenameRes)
		if got.SourceCInfo.Before != source || got.TargetCInfo.Before != target ||
			got.SourceCInfo.After != c.change(tt.from) || got.TargetCInfo.After != c.change(tt.to) {
			t.Errorf("%s to %s: %+v, before %d and %d", tt.oldName, tt.newName, got, source, target)
		}
	}
	c.ok(at(firstPath+"/full/moved", wire.GetFHArgs{})...)
}

func TestLink(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	name := []byte("linked")
	reg := firstPath + "/reg"
	c.fails(wire.ErrXDev, saved(reg, secondPath, wire.LinkArgs{NewName: name})...)
	c.fails(wire.ErrExist, saved(reg, firstPath, wire.LinkArgs{NewName: []byte("dir")})...)
	before := c.change(firstPath)
	got := c.ok(saved(reg, firstPath, wire.LinkArgs{NewName: name})...).(wire.LinkRes).CInfo
	if got.Before != before || got.After != c.change(firstPath) || got.After == before {
		t.Errorf("%+v, before %d", got, before)
	}
	if string(c.fh(reg)) != string(c.fh(firstPath+"/linked")) {
		t.Error("two names of one file have two file handles")
	}
}

func TestRemove(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	c.ok(at(firstPath+"/dir", mkdir("d"))...)
	c.fails(wire.ErrNoEnt, at(firstPath, wire.RemoveArgs{Target: []byte("none")})...)
	c.fails(wire.ErrNotEmpty, at(firstPath, wire.RemoveArgs{Target: []byte("dir")})...)
	before := c.change(firstPath)
	got := c.ok(at(firstPath, wire.RemoveArgs{Target: []byte("reg")})...).(wire.RemoveRes).CInfo
	if got.Before != before || got.After != c.change(firstPath) || got.After == before {
		t.Errorf("%+v, before %d", got, before)
	}
}

// LOOKUPP climbs from an export into the pseudo file system, and no further than
// its top.
func TestLookupp(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.ok(at(firstPath, mkdir("d"))...)
	for from, to := range map[string]string{
		firstPath + "/d": firstPath, firstPath: "/", secondPath: "/deep", "/deep": "/",
	} {
		up := c.ok(at(from, wire.LookuppArgs{}, wire.GetFHArgs{})...).(wire.GetFHRes).Object
		if string(up) != string(c.fh(to)) {
			t.Errorf("above %s is not %s", from, to)
		}
	}
	c.fails(wire.ErrNoEnt, at("/", wire.LookuppArgs{})...)
}

// SECINFO and SECINFO_NO_NAME consume the current file handle, but not where
// they fail.
func TestSecinfo(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	tests := []struct {
		path string
		op   wire.Args
		want wire.Status
	}{
		{"/", wire.SecinfoArgs{Name: []byte("one")}, wire.OK},
		{"/", wire.SecinfoArgs{Name: []byte("none")}, wire.ErrNoEnt},
		{"/", wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleCurrentFH}, wire.OK},
		{"/", wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleParent}, wire.ErrNoEnt},
		{firstPath, wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleParent}, wire.OK},
		{firstPath, wire.SecinfoNoNameArgs{Style: 2}, wire.ErrBadXDR},
	}
	for _, tt := range tests {
		status, results := c.run(at(tt.path, tt.op, wire.GetFHArgs{})...)
		if tt.want != wire.OK {
			if status != tt.want {
				t.Errorf("%+v: %v, want %v", tt.op, status, tt.want)
			}
			continue
		}
		if status != wire.ErrNoFileHandle {
			t.Errorf("GETFH after %+v: %v", tt.op, status)
		}
		got := results[len(results)-2].Body.(wire.SecinfoRes)
		if len(got.Flavors) != 2 || got.Flavors[0].Flavor != rpc.AuthSys || got.Flavors[1].Flavor != rpc.AuthNone {
			t.Errorf("%+v: %+v", tt.op, got)
		}
	}
}
