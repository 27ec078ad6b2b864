package suite

import (
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

var secinfoTests = []Test{
	{"SECINFO1", 0, "18.29.3", "the flavors of a name have that of the request", secinfoName},
	{"SECINFO2", 0, "2.6.3.1.1.8", "SECINFO consumes the current file handle", secinfoConsumes},
	{"SECINFO3", 0, "18.29.3", "a name that is not there is NOENT", secinfoAbsent},
	{"SECINFO4", 0, "18.29.3", "an empty name is INVAL", secinfoEmpty},
	{"SECINFO5", 0, "15.1.2.6", "a file for a directory is NOTDIR", secinfoNotDir},
	{"SECINFO6", 0, "18.45.3", "SECINFO_NO_NAME of the current object has the request's flavor", secinfoCurrent},
	{"SECINFO7", 0, "18.45.3", "SECINFO_NO_NAME of the parent has the request's flavor", secinfoParent},
	{"SECINFO8", 0, "18.45.3", "SECINFO_NO_NAME of the root's parent is NOENT", secinfoRootParent},
	{"SECINFO9", 0, "18.45.3", "SECINFO_NO_NAME consumes the current file handle, of either style", secinfoNoNameConsumes},
	{"SECINFO10", 0, "18.45.1", "a style that nobody defines is INVAL or does not decode", secinfoStyle},
	{"SECINFO11", 0, "14.5", "the names . and .. are BADNAME, if not NOENT", secinfoDots},
	{"SECINFO12", 0, "18.29.3", "the saved file handle outlives SECINFO", secinfoSaved},
	{"SECINFO13", 0, "18.29.3", "SECINFO at the export's place works", secinfoExport},
}

// flavored fails the test unless the flavors have the target's own.
func (t *T) flavored(reply *client.Reply) {
	flavors := Body[wire.SecinfoRes](t, reply).Flavors
	if !slices.ContainsFunc(flavors, func(f wire.SecinfoFlavor) bool { return f.Flavor == t.Target.Cred.Flavor }) {
		t.Fatalf("the flavors %s lack %d", show(flavors), t.Target.Cred.Flavor)
	}
}

func secinfoName(t *T) {
	t.Session().Mkdir(t.Dir(), "dir")
	t.flavored(t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, wire.SecinfoArgs{Name: []byte("dir")}))
}

func secinfoConsumes(t *T) {
	t.Session().Mkdir(t.Dir(), "dir")
	t.Expect(wire.ErrNoFileHandle, wire.PutFHArgs{Object: t.Dir()}, wire.SecinfoArgs{Name: []byte("dir")}, wire.GetFHArgs{})
}

func secinfoAbsent(t *T) {
	t.Expect(wire.ErrNoEnt, wire.PutFHArgs{Object: t.Dir()}, wire.SecinfoArgs{Name: []byte("absent")})
}

func secinfoEmpty(t *T) {
	t.Expect(wire.ErrInval, wire.PutFHArgs{Object: t.Dir()}, wire.SecinfoArgs{})
}

func secinfoNotDir(t *T) {
	f := t.Session().Create(t.Dir(), "file")
	t.Expect(wire.ErrNotDir, wire.PutFHArgs{Object: f.FH}, wire.SecinfoArgs{Name: []byte("x")})
}

func secinfoCurrent(t *T) {
	for _, fh := range []wire.FH{t.Dir(), t.Session().Create(t.Dir(), "file").FH} {
		t.flavored(t.Optional(wire.PutFHArgs{Object: fh}, wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleCurrentFH}))
	}
}

func secinfoParent(t *T) {
	t.flavored(t.Optional(wire.PutFHArgs{Object: t.Dir()}, wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleParent}))
}

func secinfoRootParent(t *T) {
	t.Expect(wire.ErrNoEnt, wire.PutRootFHArgs{}, wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleParent})
}

func secinfoNoNameConsumes(t *T) {
	for _, style := range []wire.SecinfoStyle{wire.SecinfoStyleCurrentFH, wire.SecinfoStyleParent} {
		t.Expect(wire.ErrNoFileHandle, wire.PutFHArgs{Object: t.Dir()}, wire.SecinfoNoNameArgs{Style: style}, wire.GetFHArgs{})
	}
}

func secinfoStyle(t *T) {
	s := t.rawSession()
	t.malformed(client.EncodeCompound(t.Target.Minor, "", s.Sequence(0, 1, false), wire.PutRootFHArgs{},
		wire.SecinfoNoNameArgs{Style: 7}), wire.ErrInval)
}

func secinfoDots(t *T) {
	for _, name := range []string{".", ".."} {
		t.ExpectAny([]wire.Status{wire.ErrBadName, wire.ErrNoEnt}, wire.PutFHArgs{Object: t.Dir()}, wire.SecinfoArgs{Name: []byte(name)})
	}
}

func secinfoSaved(t *T) {
	t.Session().Mkdir(t.Dir(), "dir")
	t.Expect(wire.OK, wire.PutFHArgs{Object: t.Dir()}, wire.SaveFHArgs{}, wire.SecinfoArgs{Name: []byte("dir")},
		wire.RestoreFHArgs{}, wire.LookupArgs{ObjName: []byte("dir")})
}

func secinfoExport(t *T) {
	walk := client.Walk(t.Target.Export)
	last, ok := walk[len(walk)-1].(wire.LookupArgs)
	if !ok {
		t.Skip("the export is the root")
	}
	ops := append(walk[:len(walk)-1], wire.SecinfoArgs{Name: last.ObjName})
	t.flavored(t.Expect(wire.OK, ops...))
}
