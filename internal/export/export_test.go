package export

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// probe finds out over the wire what the client may do at a place, and that every
// way of doing what it may not is refused as it should be.
func probe(t *testing.T, s *client.Session, place string) (may, owner string) {
	t.Helper()
	ctx := t.Context()
	dir, err := s.Lookup(ctx, place)
	switch {
	case client.IsStatus(err, wire.ErrNoEnt):
		return "", ""
	case client.IsStatus(err, wire.ErrWrongSec), client.IsStatus(err, wire.ErrDelay):
		return strings.TrimPrefix(err.Error(), "client: LOOKUP: "), ""
	case err != nil:
		t.Fatal(err)
	}
	may = "s"
	file, err := s.Lookup(ctx, place+"/file")
	if err != nil {
		t.Fatal(err)
	}
	if tried(t, "read", reads(t, s, dir, file), wire.ErrAccess) {
		may += "r"
	}
	changed, err := s.Mkdir(ctx, dir, "made", 0o755)
	refusal := wire.ErrAccess // who may change metadata alone is refused so
	if err != nil {
		refusal = wire.ErrROFS
	}
	if tried(t, "write", writes(t, s, dir, file), refusal) {
		may += "w"
	}
	if tried(t, "change", append(changes(t, s, dir, file), err), wire.ErrROFS) {
		may += "c"
		attrs, err := s.Getattr(ctx, changed, wire.BitmapOf(wire.AttrOwner, wire.AttrOwnerGroup))
		if err != nil {
			t.Fatal(err)
		}
		owner = fmt.Sprintf("%s:%s", attrs.Owner, attrs.OwnerGroup)
	}
	told(t, s, dir, file, may)
	return may, owner
}

// tried reports whether all of errs are nil; else all must be the refusal.
func tried(t *testing.T, what string, errs []error, refusal wire.Status) bool {
	t.Helper()
	if !slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return true
	}
	for i, err := range errs {
		if !client.IsStatus(err, refusal) {
			t.Errorf("%s %d: %v, want %v", what, i, err, refusal)
		}
	}
	return false
}

var anonymousID = wire.Stateid{}

func open(s *client.Session, t *testing.T, dir wire.FH, access uint32) error {
	f, err := s.Open(t.Context(), dir, "file", client.OpenOptions{Access: access | wire.OpenShareAccessWantNoDeleg})
	if err != nil {
		return err
	}
	return s.CloseFile(t.Context(), f)
}

func reads(t *testing.T, s *client.Session, dir, file wire.FH) []error {
	_, byHandle := s.Read(t.Context(), file, anonymousID, 0, 10)
	return []error{open(s, t, dir, wire.OpenShareAccessRead), byHandle}
}

func writes(t *testing.T, s *client.Session, dir, file wire.FH) []error {
	ctx := t.Context()
	_, byHandle := s.Write(ctx, file, anonymousID, 0, wire.FileSync, []byte("data"))
	_, truncated := s.Setattr(ctx, file, anonymousID, client.SizeAttr(2))
	return []error{open(s, t, dir, wire.OpenShareAccessWrite), byHandle, truncated}
}

func changes(t *testing.T, s *client.Session, dir, file wire.FH) []error {
	ctx := t.Context()
	reply, err := s.Do(ctx, wire.PutFHArgs{Object: file}, wire.SaveFHArgs{}, wire.PutFHArgs{Object: dir}, wire.LinkArgs{NewName: []byte("link")})
	if err != nil {
		t.Fatal(err)
	}
	return []error{reply.Err(), s.Rename(ctx, dir, "link", dir, "moved"), s.Remove(ctx, dir, "moved")}
}

// told checks that ACCESS tells no more and no less than what the client may do.
func told(t *testing.T, s *client.Session, dir, file wire.FH, may string) {
	t.Helper()
	const bits = wire.AccessRead | wire.AccessLookup | wire.AccessModify | wire.AccessExtend | wire.AccessDelete | wire.AccessExecute
	letters := func(of map[string]uint32) (bits uint32) {
		for letter, b := range of {
			if strings.Contains(may, letter) {
				bits |= b
			}
		}
		return bits
	}
	for _, x := range []struct {
		fh   wire.FH
		want uint32
	}{
		{dir, letters(map[string]uint32{
			"s": wire.AccessRead | wire.AccessLookup, "c": wire.AccessModify | wire.AccessExtend | wire.AccessDelete,
		})},
		{file, letters(map[string]uint32{"r": wire.AccessRead, "w": wire.AccessModify | wire.AccessExtend})},
	} {
		reply, err := s.Do(t.Context(), wire.PutFHArgs{Object: x.fh}, wire.AccessArgs{Access: bits})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := client.Body[wire.AccessRes](reply); err != nil || got.Access != x.want {
			t.Errorf("ACCESS %#x, want %#x: %v", got.Access, x.want, err)
		}
	}
}

// What clients may do, by access, squashing, client lists and their order.
func TestTrials(t *testing.T) {
	all := trials()
	if len(all) < 60 {
		t.Fatalf("%d trials", len(all))
	}
	addr := serveTrials(t, all)
	for i, x := range all {
		t.Run(fmt.Sprintf("%s%s from %d as %d", x.permits, x.clients, x.from, x.user.uid), func(t *testing.T) {
			may, owner := probe(t, visit(t, addr, x.from, x.user), fmt.Sprintf("/%d", i))
			if may != x.may || owner != x.owner {
				t.Errorf("may %q as %q, want %q as %q", may, owner, x.may, x.owner)
			}
		})
	}
}

// A file handle is good for no client but those that may see its export, and is
// nobody's to make or to change.
func TestHandles(t *testing.T) {
	all := []trial{
		{permits: plain0, clients: "CLIENT { Clients = 127.0.0.2; Access_Type = RW; }"},
		{permits: plain0, clients: "CLIENT { Clients = 127.0.0.3; Access_Type = RW; }"},
		{permits: rw + plain0 + "SecType = sys; "},
	}
	addr := serveTrials(t, all)
	second, third, stranger := visit(t, addr, 2, alice), visit(t, addr, 3, alice), visit(t, addr, 4, user{none: true})
	present := func(s *client.Session, fh wire.FH, want wire.Status, more ...wire.Args) {
		t.Helper()
		reply, err := s.Do(t.Context(), append([]wire.Args{wire.PutFHArgs{Object: fh}}, more...)...)
		if err != nil {
			t.Fatal(err)
		}
		if reply.Status != want || want != wire.OK && reply.Results[len(reply.Results)-1].Op != wire.OpPutFH {
			t.Errorf("PUTFH %x: %v, want %v", fh, reply.Err(), want)
		}
	}
	of := func(s *client.Session, place string) wire.FH {
		fh, err := s.Lookup(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		return fh
	}
	one, two := of(second, "/0/file"), of(third, "/1/file")
	read := wire.ReadArgs{Count: 1}
	present(second, one, wire.OK, read)
	present(third, two, wire.OK, read)
	present(second, two, wire.ErrStale, read)
	present(third, one, wire.ErrStale, read)
	present(stranger, one, wire.ErrStale, read)

	// One export's handle made to name the other's: the id is behind the format byte.
	forged := slices.Clone(one)
	copy(forged[1:5], two[1:5])
	present(third, forged, wire.ErrBadHandle)
	for i := range len(one) * 8 {
		flipped := slices.Clone(one)
		flipped[i/8] ^= 1 << (i % 8)
		present(second, flipped, wire.ErrBadHandle)
	}
	for n := range len(one) {
		present(second, one[:n], wire.ErrBadHandle)
	}
	present(second, append(slices.Clone(one), 0), wire.ErrBadHandle)
	present(second, make(wire.FH, wire.FHSize), wire.ErrBadHandle)

	// A flavor that the export does not take (RFC 8881, 2.6.3.1.1).
	open := of(second, "/2")
	present(stranger, open, wire.ErrWrongSec, wire.GetFHArgs{})
	present(stranger, open, wire.ErrWrongSec, wire.SaveFHArgs{}, wire.ReaddirArgs{})
	present(stranger, open, wire.OK)
	present(stranger, open, wire.OK, wire.SecinfoNoNameArgs{Style: wire.SecinfoStyleCurrentFH})
	present(stranger, open, wire.OK, wire.PutRootFHArgs{}, wire.GetFHArgs{})
}
