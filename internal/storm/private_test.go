package storm

import (
	"fmt"
	"slices"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// private is a directory that only one actor changes, and only by operations
// that cannot be run twice: the second would fail, and would be seen in the
// directory's change attribute.
type private struct {
	fh     wire.FH
	names  []string
	change uint64 // after the last operation, where the server tells it
	serial int
}

const maxPrivate = 20

func (a *actor) makePrivate() error {
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: a.root},
		wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte(a.owner), CreateAttrs: client.ModeAttr(0o700).Encode()},
		wire.GetFHArgs{})
	if err != nil {
		return err
	}
	res, err := client.Body[wire.GetFHRes](x.Reply)
	if err != nil {
		return x.Err()
	}
	a.private.fh = res.Object
	return nil
}

// inPrivate creates, renames or removes a name.
func (a *actor) inPrivate() error {
	d := &a.private
	dir := wire.PutFHArgs{Object: d.fh}
	d.serial++
	fresh := fmt.Sprintf("n%d", d.serial)
	n := a.rng.IntN(3)
	switch {
	case n == 0 && len(d.names) > 0:
		i := a.rng.IntN(len(d.names))
		old := d.names[i]
		d.names[i] = fresh
		return a.once(dir, wire.SaveFHArgs{}, wire.RenameArgs{OldName: []byte(old), NewName: []byte(fresh)})
	case n == 1 && len(d.names) > 0 || len(d.names) == maxPrivate:
		i := a.rng.IntN(len(d.names))
		old := d.names[i]
		d.names = slices.Delete(d.names, i, i+1)
		return a.once(dir, wire.RemoveArgs{Target: []byte(old)})
	}
	d.names = append(d.names, fresh)
	return a.once(dir, wire.CreateArgs{ObjType: wire.TypeDir, ObjName: []byte(fresh), CreateAttrs: client.ModeAttr(0o700).Encode()})
}

// once has operations on the private directory run, the last of which changes it.
func (a *actor) once(ops ...wire.Args) error {
	x, err := a.exchange(a.rng, ops...)
	if err != nil {
		return err
	}
	if x.Status != wire.OK {
		a.failf("%s: in a private directory: %v", a.owner, x.Err())
		return errStopped
	}
	a.count("operations that must not run twice")
	var info wire.ChangeInfo
	switch res := x.last().Body.(type) {
	case wire.CreateRes:
		info = res.CInfo
	case wire.RemoveRes:
		info = res.CInfo
	case wire.RenameRes:
		info = res.SourceCInfo
	}
	if last := a.private.change; last != 0 && info.Atomic && info.Before != last {
		a.failf("%s: the private directory's change is %d, and was %d", a.owner, info.Before, last)
	}
	if a.private.change = info.After; !info.Atomic {
		a.private.change = 0
	}
	return nil
}

// checkPrivate compares the private directory with what was done to it.
func (a *actor) checkPrivate() error {
	x, err := a.exchange(a.rng, wire.PutFHArgs{Object: a.private.fh}, wire.ReaddirArgs{DirCount: 3000, MaxCount: 3000})
	if err != nil {
		return err
	}
	res, err := client.Body[wire.ReaddirRes](x.Reply)
	if err != nil {
		return x.Err()
	}
	var names []string
	for _, e := range res.Entries {
		names = append(names, string(e.Name))
	}
	slices.Sort(names)
	slices.Sort(a.private.names)
	if !res.EOF || !slices.Equal(names, a.private.names) {
		a.failf("%s: the private directory has %q, want %q", a.owner, names, a.private.names)
	}
	return nil
}
