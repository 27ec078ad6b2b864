package acl

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/fsal/posixacl"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// owningGroup is the group of all objects; lists are about IDs up to maxID.
const (
	owningGroup = 1
	maxID       = 3
)

// person is somebody who asks. groups has bits by GID.
type person struct {
	uid    uint32
	owner  bool
	groups uint32
}

func (p person) member(gid uint32) bool { return p.groups>>gid&1 != 0 }

func (p person) permit(l posixacl.List) uint16 {
	return l.Permit(p.uid, p.owner, owningGroup, p.member)
}

// persons are all that lists tell apart.
func persons() (all []person) {
	for uid := range uint32(maxID + 1) {
		for groups := range uint32(1) << (maxID + 1) {
			all = append(all, person{uid, false, groups}, person{uid, true, groups})
		}
	}
	return all
}

// is says whether an ACE is about somebody.
func (p person) is(t failer, ace wire.ACE) bool {
	switch string(ace.Who) {
	case "OWNER@":
		return p.owner
	case "GROUP@":
		return p.member(owningGroup)
	case "EVERYONE@":
		return true
	}
	id, s := find(ace.Who)
	if s != wire.OK {
		t.Fatalf("ACE about %s", ace.Who)
	}
	if ace.Flag&wire.ACEFlagIdentifierGroup != 0 {
		return p.member(id)
	}
	return p.uid == id
}

type failer interface {
	Fatalf(format string, args ...any)
}

// allowed asks the ACEs bit by bit, as RFC 8881, 6.2.1, has it.
func (p person) allowed(t failer, aces []wire.ACE) (all uint32) {
	for bit := uint32(1); bit <= wire.ACESynchronize; bit <<= 1 {
		for _, ace := range aces {
			if ace.AccessMask&bit == 0 || !p.is(t, ace) {
				continue
			}
			if ace.Type == wire.ACETypeAccessAllowed {
				all |= bit
			}
			break
		}
	}
	return all
}

// split returns the ACEs that count for an object and those that count for what is
// created in it.
func split(aces []wire.ACE) (here, created []wire.ACE) {
	for _, ace := range aces {
		if ace.Flag&wire.ACEFlagInheritOnly == 0 {
			here = append(here, ace)
		}
		if ace.Flag&(wire.ACEFlagFileInherit|wire.ACEFlagDirectoryInherit) != 0 {
			created = append(created, ace)
		}
	}
	return here, created
}

// permissions are those that bits of ACEs give.
func permissions(mask uint32, directory bool) (perm uint16) {
	has := func(bits uint32) bool { return mask&bits == bits }
	if has(wire.ACEReadData) {
		perm |= posixacl.Read
	}
	if has(wire.ACEWriteData|wire.ACEAppendData) && (!directory || has(wire.ACEDeleteChild)) {
		perm |= posixacl.Write
	}
	if has(wire.ACEExecute) {
		perm |= posixacl.Execute
	}
	return perm
}

func drawList(t *rapid.T) posixacl.List {
	perm := rapid.Uint16Range(0, 7)
	l := posixacl.OfMode(rapid.Uint32Range(0, 0o777).Draw(t, "mode"))
	for _, tag := range []posixacl.Tag{posixacl.User, posixacl.Group} {
		for _, id := range rapid.SliceOfNDistinct(rapid.Uint32Range(0, maxID), 0, maxID, rapid.ID).Draw(t, "IDs") {
			l = append(l, posixacl.Entry{Tag: tag, Perm: perm.Draw(t, "perm"), ID: id})
		}
	}
	if len(l) > 3 || rapid.Bool().Draw(t, "masked") {
		l = append(l, posixacl.Entry{Tag: posixacl.Mask, Perm: perm.Draw(t, "mask")})
	}
	l.Sort()
	if !l.Valid() {
		t.Fatalf("drew %v", l)
	}
	return l
}

// ACEs allow what the lists do, to everybody.
func TestToNFSAllowsTheSame(t *testing.T) {
	everybody := persons()
	rapid.Check(t, func(t *rapid.T) {
		a := posixacl.ACL{Access: drawList(t), Default: drawList(t)}
		here, created := split(ToNFS(a, true, numbers{}))
		file := ToNFS(a, false, numbers{})
		for _, p := range everybody {
			for _, c := range []struct {
				aces      []wire.ACE
				list      posixacl.List
				directory bool
			}{{here, a.Access, true}, {created, a.Default, true}, {file, a.Access, false}} {
				if got, want := permissions(p.allowed(t, c.aces), c.directory), p.permit(c.list); got != want {
					t.Fatalf("%+v has %o by %v, %o by %v", p, got, lines(c.aces), want, c.list)
				}
			}
		}
	})
}

// bare is what remains of a list: its entries as the mask leaves them, and a mask that
// is what User, GroupObj and Group have, if there is a User or Group.
func bare(l posixacl.List) (to posixacl.List) {
	mask, union, named := uint16(7), uint16(0), false
	for _, e := range l {
		if e.Tag == posixacl.Mask {
			mask = e.Perm
		}
	}
	for _, e := range l {
		switch e.Tag {
		case posixacl.Mask:
			continue
		case posixacl.User, posixacl.Group:
			named = true
			fallthrough
		case posixacl.GroupObj:
			e.Perm &= mask
			union |= e.Perm
		}
		to = append(to, e)
	}
	if named {
		to = append(to, posixacl.Entry{Tag: posixacl.Mask, Perm: union})
	}
	to.Sort()
	return to
}

func TestThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, directory := posixacl.ACL{Access: drawList(t)}, rapid.Bool().Draw(t, "directory")
		want := posixacl.ACL{Access: bare(a.Access)}
		if directory && rapid.Bool().Draw(t, "inherited") {
			a.Default = drawList(t)
			want.Default = bare(a.Default)
		}
		all := ToNFS(a, directory, numbers{})
		got, s := FromNFS(all, directory, byNumber{})
		if diff := cmp.Diff(want, got); s != wire.OK || diff != "" {
			t.Fatalf("%v: %v %s", lines(all), s, diff)
		}
	})
}

func drawACEs(t *rapid.T, directory bool) (all []wire.ACE) {
	flags := []uint32{0}
	if directory {
		flags = append(flags, inherit, inherit|wire.ACEFlagInheritOnly, wire.ACEFlagFileInherit, wire.ACEFlagDirectoryInherit|wire.ACEFlagInheritOnly)
	}
	const data = wire.ACEReadData | wire.ACEWriteData | wire.ACEAppendData | wire.ACEExecute | wire.ACEDeleteChild
	for range rapid.IntRange(0, 10).Draw(t, "length") {
		ace := wire.ACE{
			Type:       wire.ACEType(rapid.Uint32Range(0, 1).Draw(t, "type")),
			Flag:       rapid.SampledFrom(flags).Draw(t, "flags"),
			AccessMask: rapid.Uint32().Draw(t, "mask") & data,
		}
		who := rapid.IntRange(-3, 2*maxID+1).Draw(t, "who")
		switch {
		case who < 0:
			ace.Who = []byte([]string{"OWNER@", "GROUP@", "EVERYONE@"}[-who-1])
		case who > maxID:
			ace.Flag |= wire.ACEFlagIdentifierGroup
			who -= maxID + 1
			fallthrough
		default:
			ace.Who = numbers{}.User(uint32(who))
		}
		all = append(all, ace)
	}
	return all
}

// checkStrict checks that lists are valid and allow nobody more than the ACEs they stand
// for. What inherited ACEs do not say of OWNER@, GROUP@ and EVERYONE@ is as if said last,
// as those of the directory have it.
func checkStrict(t failer, aces []wire.ACE, directory bool, a posixacl.ACL) {
	here, created := split(aces)
	if !a.Access.Valid() || (len(created) > 0) != (len(a.Default) > 0) || len(created) > 0 && !a.Default.Valid() {
		t.Fatalf("%v is %v", lines(aces), a)
	}
	for _, c := range []struct {
		who string
		person
	}{{"OWNER@", person{maxID + 1, true, 0}}, {"GROUP@", person{maxID + 1, false, 1 << owningGroup}}, {"EVERYONE@", person{maxID + 1, false, 0}}} {
		said := false
		for _, ace := range created {
			said = said || string(ace.Who) == c.who
		}
		if !said {
			created = append(created, wire.ACE{Who: []byte(c.who), AccessMask: c.allowed(t, here)})
		}
	}
	for _, p := range persons() {
		if over := p.permit(a.Access) &^ permissions(p.allowed(t, here), directory); over != 0 {
			t.Fatalf("%+v has also %o by %v, not by %v", p, over, a.Access, lines(here))
		}
		if len(a.Default) == 0 {
			continue
		}
		if over := p.permit(a.Default) &^ permissions(p.allowed(t, created), directory); over != 0 {
			t.Fatalf("%+v has also %o by %v, not by %v", p, over, a.Default, lines(created))
		}
	}
}

func TestFromNFSIsStrict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		directory := rapid.Bool().Draw(t, "directory")
		all := drawACEs(t, directory)
		a, s := FromNFS(all, directory, byNumber{})
		if s != wire.OK {
			t.Fatalf("%v: %v", lines(all), s)
		}
		checkStrict(t, all, directory, a)
	})
}
