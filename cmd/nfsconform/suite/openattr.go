package suite

import (
	"github.com/tidegate/tidegate/nfs4/wire"
)

var openattrTests = []Test{
	{"OPENATTR1", 0, "18.17.3", "a server without named attributes says NOTSUPP, with and without createdir", openattrNone},
	{"OPENATTR2", 0, "5.8.1.8", "named_attr is false of an object without named attributes", openattrAttr},
	{"OPENATTR3", 0, "18.17.3", "the named attributes of a directory are listed, and lie in a directory of type NF4ATTRDIR", openattrDir},
}

func openattrNone(t *T) {
	for _, o := range t.Objects() {
		for _, create := range []bool{false, true} {
			reply := t.Session().settled(nil, on(o.fh, wire.OpenAttrArgs{CreateDir: create}))
			switch reply.Status {
			case wire.ErrNotSupp:
			case wire.OK, wire.ErrNoEnt:
				t.Skip("named attributes are supported")
			default:
				t.Errorf("%s: OPENATTR is %v, expected NFS4ERR_NOTSUPP", o.name, reply.Status)
			}
		}
	}
}

func openattrAttr(t *T) {
	s := t.Session()
	for _, o := range t.Objects() {
		if s.Word(o.fh, wire.AttrNamedAttr, 0) != 0 {
			t.Errorf("%s has named attributes, and is new", o.name)
		}
	}
}

func openattrDir(t *T) {
	s := t.Session()
	dir := s.Mkdir(t.Dir(), "dir")
	s.Optional(on(dir, wire.OpenAttrArgs{CreateDir: true})...)
	reply := t.Expect(wire.OK, on(dir, wire.OpenAttrArgs{}, wire.GetFHArgs{})...)
	fh := Body[wire.GetFHRes](t, reply).Object
	if got := s.Attrs(fh, wire.AttrType).Type; got != wire.TypeAttrDir {
		t.Errorf("type %d", got)
	}
	if names := s.names(fh); len(names) != 0 {
		t.Errorf("%q are there", names)
	}
}
