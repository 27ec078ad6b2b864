package suite

import (
	"fmt"
	"slices"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// place is where a listing can go on.
type place struct {
	cookie uint64
	verf   wire.Verifier
	rest   []string // what follows
}

// places lists a directory in small pages and returns the place after each entry.
func (s *Session) places(dir wire.FH) []place {
	var all []place
	args := listArgs(300)
	for {
		res := s.Page(dir, args)
		for _, e := range res.Entries {
			for i := range all {
				all[i].rest = append(all[i].rest, string(e.Name))
			}
			all = append(all, place{cookie: e.Cookie, verf: res.CookieVerf})
		}
		if res.EOF || len(res.Entries) == 0 {
			return all
		}
		args.Cookie, args.CookieVerf = res.Entries[len(res.Entries)-1].Cookie, res.CookieVerf
	}
}

// from returns READDIR from a place on.
func (p place) from(maxcount uint32) wire.ReaddirArgs {
	args := listArgs(maxcount)
	args.Cookie, args.CookieVerf = p.cookie, p.verf
	return args
}

func readdirEveryCookie(t *T) {
	s, dir := t.Session(), t.Dir()
	s.Fill(dir, numbered("name", 100))
	all := s.places(dir)
	if len(all) != 100 {
		t.Fatalf("%d entries", len(all))
	}
	for i, p := range all {
		got := namesOf(s.List(dir, p.from(uint32(400+37*i)), nil))
		if !slices.Equal(got, p.rest) {
			t.Fatalf("after entry %d come %d entries that differ from the %d of the whole listing", i, len(got), len(p.rest))
		}
	}
}

func readdirLastCookie(t *T) {
	s, dir := t.Session(), t.Dir()
	s.Fill(dir, numbered("name", 30))
	all := s.places(dir)
	res := s.Page(dir, all[len(all)-1].from(roomy))
	if len(res.Entries) != 0 || !res.EOF {
		t.Fatalf("%d entries, EOF %v", len(res.Entries), res.EOF)
	}
}

func readdirRemovedCookie(t *T) {
	s, dir := t.Session(), t.Dir()
	s.Fill(dir, numbered("name", 40))
	all := s.places(dir)
	names := s.names(dir)
	for _, i := range []int{0, 7, 8, 21, 38} {
		s.Remove(dir, names[i])
		got := namesOf(s.List(dir, all[i].from(roomy), nil))
		if !slices.Equal(got, slices.DeleteFunc(slices.Clone(names[i+1:]), func(name string) bool { return !s.Has(dir, name) })) {
			t.Fatalf("after entry %d, which was removed, come %d entries", i, len(got))
		}
	}
	s.Remove(dir, names[39])
	if res := s.Page(dir, all[39].from(roomy)); len(res.Entries) != 0 || !res.EOF {
		t.Fatalf("after the last entry, which was removed: %d entries, EOF %v", len(res.Entries), res.EOF)
	}
}

func readdirOldCookies(t *T) {
	s, dir := t.Session(), t.Dir()
	stay := numbered("stay", 60)
	s.Fill(dir, stay)
	s.Fill(dir, numbered("go", 60))
	all := s.places(dir)
	for _, name := range numbered("go", 60) {
		s.Remove(dir, name)
	}
	s.Fill(dir, numbered("new", 60))
	for i, p := range all {
		got := namesOf(s.List(dir, p.from(roomy), nil))
		kept := slices.DeleteFunc(got, func(name string) bool { return !slices.Contains(stay, name) })
		want := slices.DeleteFunc(slices.Clone(p.rest), func(name string) bool { return !slices.Contains(stay, name) })
		if !slices.Equal(kept, want) {
			t.Fatalf("after entry %d of before, %d of the entries that stayed come, expected %d", i, len(kept), len(want))
		}
	}
}

func readdirOtherClient(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	dir := t.Dir()
	s.Fill(dir, numbered("name", 50))
	for i, p := range s.places(dir) {
		if got := namesOf(other.List(dir, p.from(roomy), nil)); !slices.Equal(got, p.rest) {
			t.Fatalf("entry %d: another client is led to %d entries, expected %d", i, len(got), len(p.rest))
		}
	}
}

func readdirThousands(t *T) {
	s, dir := t.Session(), t.Dir()
	names := numbered("entry", 5000)
	s.Fill(dir, names)
	for _, maxcount := range []uint32{1 << 10, 4<<10 + 3, 32 << 10, 1 << 20} {
		t.expectNames(namesOf(s.List(dir, listArgs(maxcount, wire.AttrType, wire.AttrFileID), nil)), names)
	}
}

func readdirBusy(t *T) {
	s, other := t.Session(), t.NewSession(SessionConfig{})
	dir := t.Dir()
	stay, leave := numbered("stay", 4500), numbered("leave", 500)
	s.Fill(dir, stay)
	s.Fill(dir, leave)
	page := 0
	got := namesOf(s.List(dir, listArgs(8<<10, wire.AttrType), func([]wire.Entry) {
		other.Fill(dir, numbered(fmt.Sprintf("page%dx", page), 20))
		n := min(10, len(leave))
		for _, name := range leave[:n] {
			other.Remove(dir, name)
		}
		leave = leave[n:]
		page++
	}))
	if page < 10 {
		t.Fatalf("%d pages of 8 KiB for 5,000 entries", page)
	}
	kept := map[string]bool{}
	for _, name := range got {
		kept[name] = true
	}
	t.expectNames(slices.DeleteFunc(slices.Clone(stay), func(name string) bool { return !kept[name] }), stay)
}

func readdirRemoving(t *T) {
	s, dir := t.Session(), t.Dir()
	names := numbered("name", 600)
	s.Fill(dir, names)
	got := s.List(dir, listArgs(1<<10), func(page []wire.Entry) {
		for _, e := range page {
			s.Remove(dir, string(e.Name))
		}
	})
	t.expectNames(namesOf(got), names)
	t.expectNames(s.names(dir), nil)
}

func readdirMoving(t *T) {
	s := t.Session()
	from, to := s.Mkdir(t.Dir(), "from"), s.Mkdir(t.Dir(), "to")
	names := numbered("name", 300)
	s.Fill(from, names)
	s.List(from, listArgs(1<<10), func(page []wire.Entry) {
		for _, e := range page {
			s.Rename(from, string(e.Name), to, string(e.Name))
		}
	})
	t.expectNames(s.names(from), nil)
	t.expectNames(s.names(to), names)
}

// readdirParallel takes pages of four listings in turn, each of another size.
func readdirParallel(t *T) {
	s, dir := t.Session(), t.Dir()
	names := numbered("name", 400)
	s.Fill(dir, names)
	args := []wire.ReaddirArgs{listArgs(512), listArgs(700), listArgs(2000, wire.AttrType), listArgs(5000, wire.AttrFilehandle)}
	got := make([][]string, len(args))
	for open := len(args); open > 0; {
		for i := range args {
			if args[i].MaxCount == 0 {
				continue
			}
			res := s.Page(dir, args[i])
			got[i] = append(got[i], namesOf(res.Entries)...)
			if res.EOF || len(res.Entries) == 0 {
				args[i].MaxCount = 0
				open--
				continue
			}
			args[i].Cookie, args[i].CookieVerf = res.Entries[len(res.Entries)-1].Cookie, res.CookieVerf
		}
	}
	for i := range got {
		t.expectNames(got[i], names)
	}
}

// readdirFilling stops to fill after twenty times what was there before, which a
// listing without an end reaches.
func readdirFilling(t *T) {
	const before, each, limit = 100, 3, 2000
	s, dir := t.Session(), t.Dir()
	names := numbered("name", before)
	s.Fill(dir, names)
	made := 0
	got := namesOf(s.List(dir, listArgs(512), func([]wire.Entry) {
		if made < limit {
			s.Fill(dir, numbered(fmt.Sprintf("new%dx", made), each))
			made += each
		}
	}))
	t.expectNames(slices.DeleteFunc(got, func(name string) bool { return name[:4] != "name" }), names)
}
