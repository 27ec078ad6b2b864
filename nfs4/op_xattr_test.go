package nfs4

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
	"github.com/tidegate/tidegate/xdr/rpc"
)

func setXattr(name, value string, option wire.SetxattrOption) wire.Args {
	return wire.SetxattrArgs{Option: option, Key: []byte(name), Value: []byte(value)}
}

// names lists extended attributes in replies of at most maxcount bytes.
func (c *session) names(path string, maxcount uint32) (names []string, calls int) {
	c.t.Helper()
	for cookie := uint64(0); ; calls++ {
		res := c.ok(at(path, wire.ListxattrsArgs{Cookie: cookie, MaxCount: maxcount})...).(wire.ListxattrsRes)
		for _, name := range res.Names {
			names = append(names, string(name))
		}
		var size xdr.Encoder
		if res.Encode(&size); size.Len() > int(maxcount) {
			c.t.Errorf("a list of %d bytes, at most %d wanted", size.Len(), maxcount)
		}
		if res.EOF {
			return names, calls + 1
		}
		if len(res.Names) == 0 || res.Cookie <= cookie {
			c.t.Fatalf("%d names from cookie %d to %d, and not the end", len(res.Names), cookie, res.Cookie)
		}
		cookie = res.Cookie
	}
}

func TestXattrs(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	for _, path := range []string{firstPath + "/reg", firstPath + "/dir", firstPath} {
		for _, tt := range []struct {
			op   wire.Args
			want wire.Status
		}{
			{wire.GetxattrArgs{Name: []byte("a")}, wire.ErrNoXattr},
			{setXattr("a", "1", wire.SetxattrReplace), wire.ErrNoXattr},
			{setXattr("a", "1", wire.SetxattrCreate), wire.OK},
			{setXattr("a", "2", wire.SetxattrCreate), wire.ErrExist},
			{setXattr("a", "3", wire.SetxattrReplace), wire.OK},
			{setXattr("a", "", wire.SetxattrEither), wire.OK},
			{setXattr("../b", "any\x00bytes\xff", wire.SetxattrEither), wire.OK},
			{wire.RemovexattrArgs{Name: []byte("c")}, wire.ErrNoXattr},
			{setXattr("c", "", 3), wire.ErrInval},
			{setXattr("", "", wire.SetxattrEither), wire.ErrInval},
			{setXattr("nul\x00", "", wire.SetxattrEither), wire.ErrInval},
			{setXattr("\xff", "", wire.SetxattrEither), wire.ErrInval},
			{setXattr(strings.Repeat("n", 251), "", wire.SetxattrEither), wire.ErrNameTooLong},
			{setXattr(strings.Repeat("n", 100_000), "", wire.SetxattrEither), wire.ErrNameTooLong},
			{setXattr("c", strings.Repeat("v", 64<<10+1), wire.SetxattrEither), wire.ErrXattr2Big},
		} {
			before := c.change(path)
			status, results := c.run(at(path, tt.op)...)
			if status != tt.want {
				t.Errorf("%s: %+.60v: %v, want %v", path, tt.op, status, tt.want)
			}
			after := c.change(path)
			if (before != after) != (tt.want == wire.OK) {
				t.Errorf("%s: %+.60v: change went from %d to %d", path, tt.op, before, after)
			}
			info := wire.ChangeInfo{Atomic: true, Before: before, After: after}
			if res, ok := results[len(results)-1].Body.(wire.SetxattrRes); ok && res.Info != info {
				t.Errorf("%s: %+.60v: %+v, want %+v", path, tt.op, res.Info, info)
			}
		}
		for name, want := range map[string]string{"a": "", "../b": "any\x00bytes\xff"} {
			if got := c.ok(at(path, wire.GetxattrArgs{Name: []byte(name)})...).(wire.GetxattrRes).Value; string(got) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if names, _ := c.names(path, 1000); !slices.Equal(names, []string{"../b", "a"}) {
			t.Errorf("%s: %q", path, names)
		}
		before := c.change(path)
		res := c.ok(at(path, wire.RemovexattrArgs{Name: []byte("a")})...).(wire.RemovexattrRes)
		if want := (wire.ChangeInfo{Atomic: true, Before: before, After: c.change(path)}); res.Info != want || want.Before == want.After {
			t.Errorf("%s: REMOVEXATTR: %+v, want %+v", path, res.Info, want)
		}
		c.fails(wire.ErrNoXattr, at(path, wire.GetxattrArgs{Name: []byte("a")})...)
	}
}

// What is neither a file nor a directory has no extended attributes and takes
// none; a list of them is empty.
func TestXattrTypes(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.populate(firstPath)
	for _, name := range []string{"lnk", "fifo", "chr"} {
		path := firstPath + "/" + name
		c.fails(wire.ErrNoXattr, at(path, wire.GetxattrArgs{Name: []byte("a")})...)
		c.fails(wire.ErrPerm, at(path, setXattr("a", "", wire.SetxattrEither))...)
		if names, _ := c.names(path, 100); len(names) != 0 {
			t.Errorf("%s: %q", path, names)
		}
	}
}

// All four operations stand for a file system, or none.
func TestXattrsUnsupported(t *testing.T) {
	exports := append(twoExports(t), Export{ID: 3, Path: "/plain", FS: plainFS{memory(t)}})
	c := connect(t, newServer(t, exports...), 2)
	for path, supported := range map[string]bool{firstPath: true, "/plain": false, "/": false} {
		if has := c.attrs(path, wire.AttrXattrSupport).Values[3] == 1; has != supported {
			t.Errorf("%s: xattr_support is %v", path, has)
		}
		if supported {
			continue
		}
		for _, op := range []wire.Args{
			wire.GetxattrArgs{Name: []byte("a")}, setXattr("a", "", wire.SetxattrEither),
			wire.ListxattrsArgs{MaxCount: 1000}, wire.RemovexattrArgs{Name: []byte("a")},
		} {
			c.fails(wire.ErrNotSupp, at(path, op)...)
		}
	}
}

// Extended attributes are read and written by who may read and write the object.
func TestXattrPermission(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	c.file(firstPath, "f", both, 0) // mode 0644 of root
	path := firstPath + "/f"
	c.ok(at(path, setXattr("a", "1", wire.SetxattrEither))...)
	c.cred = rpc.Cred{Flavor: rpc.AuthSys, UID: 1000, GID: 1000}
	defer func() { c.cred = rpc.Cred{Flavor: rpc.AuthSys} }()
	if got := c.ok(at(path, wire.GetxattrArgs{Name: []byte("a")})...).(wire.GetxattrRes).Value; string(got) != "1" {
		t.Errorf("a is %q", got)
	}
	c.fails(wire.ErrAccess, at(path, setXattr("a", "2", wire.SetxattrEither))...)
	c.fails(wire.ErrAccess, at(path, wire.RemovexattrArgs{Name: []byte("a")})...)
	const bits = wire.AccessXARead | wire.AccessXAWrite | wire.AccessXAList
	res := c.ok(at(path, wire.AccessArgs{Access: bits})...).(wire.AccessRes)
	if want := (wire.AccessRes{Supported: bits, Access: wire.AccessXARead | wire.AccessXAList}); res != want {
		t.Errorf("ACCESS: %+v, want %+v", res, want)
	}
}

// A list comes in as many pieces as maxcount makes, each name once.
func TestListxattrs(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	if names, calls := c.names(firstPath, roomXattrs); len(names) != 0 || calls != 1 {
		t.Errorf("without any: %q in %d calls", names, calls)
	}
	c.fails(wire.ErrTooSmall, at(firstPath, wire.ListxattrsArgs{MaxCount: roomXattrs - 1})...)
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprintf("name %d%s", i, strings.Repeat("x", i)))
		c.ok(at(firstPath, setXattr(want[i], "", wire.SetxattrEither))...)
	}
	const longest = 4 + 16 // length, and "name 9xxxxxxxxx" with its padding
	for maxcount, most := range map[uint32]int{
		roomXattrs + longest:   10,
		roomXattrs + 2*longest: 6,
		1 << 20:                1,
	} {
		names, calls := c.names(firstPath, maxcount)
		if !slices.Equal(names, want) || calls > most {
			t.Errorf("maxcount %d: %q in %d calls", maxcount, names, calls)
		}
	}
	c.fails(wire.ErrTooSmall, at(firstPath, wire.ListxattrsArgs{Cookie: 9, MaxCount: roomXattrs + longest - 1})...)
	// A cookie of attributes that are gone is at the end.
	res := c.ok(at(firstPath, wire.ListxattrsArgs{Cookie: 1 << 60, MaxCount: 1000})...).(wire.ListxattrsRes)
	if len(res.Names) != 0 || !res.EOF {
		t.Errorf("beyond the end: %+v", res)
	}
}

// Where the session has no room for an answer, the client is told so.
func TestXattrsTooBig(t *testing.T) {
	c := connect(t, newServer(t, twoExports(t)...), 2)
	value := bytes.Repeat([]byte("v"), 8<<10)
	name := strings.Repeat("n", 250)
	c.ok(at(firstPath, setXattr(name, string(value), wire.SetxattrEither))...)
	got := c.ok(at(firstPath, wire.GetxattrArgs{Name: []byte(name)})...).(wire.GetxattrRes).Value
	if !bytes.Equal(got, value) {
		t.Errorf("the value comes back as %d bytes", len(got))
	}
	c.cache = true // in 4 KiB
	c.fails(wire.ErrRepTooBigToCache, at(firstPath, wire.GetxattrArgs{Name: []byte(name)})...)
	// Of a list comes what fits, as long as that is anything.
	for i := range 20 {
		c.ok(at(firstPath, setXattr(fmt.Sprintf("%s%02d", name[:248], i), "", wire.SetxattrEither))...)
	}
	list := wire.ListxattrsArgs{MaxCount: 1 << 20}
	res := c.ok(at(firstPath, list)...).(wire.ListxattrsRes)
	if n := len(res.Names); n < 10 || n > 20 || res.EOF || res.Cookie != uint64(n) {
		t.Errorf("%d names, cookie %d, eof %v", n, res.Cookie, res.EOF)
	}
	c.fails(wire.ErrRepTooBigToCache, at(firstPath, list, list)...)
}
