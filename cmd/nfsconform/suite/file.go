package suite

import (
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// File is an open file.
type File struct {
	FH      wire.FH
	Stateid wire.Stateid
	Res     wire.OpenRes
}

// OpenArgs returns arguments for OPEN of name in the current directory, without a
// wish for a delegation.
func (s *Session) OpenArgs(name string, access, deny uint32) wire.OpenArgs {
	return wire.OpenArgs{
		ShareAccess: access | wire.OpenShareAccessWantNoDeleg,
		ShareDeny:   deny,
		Owner:       wire.StateOwner{ClientID: s.Client.ID, Owner: []byte("owner")},
		Claim:       wire.OpenClaim{Claim: wire.ClaimNull, File: []byte(name)},
	}
}

// CreateArgs returns arguments for OPEN that creates name, UNCHECKED and with mode
// 0644, to read and write it.
func (s *Session) CreateArgs(name string) wire.OpenArgs {
	a := s.OpenArgs(name, wire.OpenShareAccessBoth, wire.OpenShareDenyNone)
	a.OpenType = wire.OpenCreate
	a.How = wire.CreateHow{Mode: wire.Unchecked, CreateAttrs: client.ModeAttr(0o644).Encode()}
	return a
}

// Open opens a file with args, which is to succeed.
func (s *Session) Open(dir wire.FH, args wire.OpenArgs) *File {
	reply := s.Expect(wire.OK, wire.PutFHArgs{Object: dir}, args, wire.GetFHArgs{})
	open := Body[wire.OpenRes](s.t, reply)
	return &File{FH: Body[wire.GetFHRes](s.t, reply).Object, Stateid: open.Stateid, Res: open}
}

// Create creates and opens a file, to read and write it.
func (s *Session) Create(dir wire.FH, name string) *File { return s.Open(dir, s.CreateArgs(name)) }

// Close closes a file.
func (s *Session) Close(f *File) {
	s.Expect(wire.OK, wire.PutFHArgs{Object: f.FH}, wire.CloseArgs{OpenStateid: f.Stateid})
}

// Write writes all of data to an open file, FILE_SYNC.
func (s *Session) Write(f *File, offset uint64, data []byte) {
	reply := s.Expect(wire.OK, wire.PutFHArgs{Object: f.FH},
		wire.WriteArgs{Stateid: f.Stateid, Offset: offset, Stable: wire.FileSync, Data: data})
	if n := Body[wire.WriteRes](s.t, reply).Count; int(n) != len(data) {
		s.t.Fatalf("WRITE took %d of %d bytes", n, len(data))
	}
}

// Read reads from an open file.
func (s *Session) Read(f *File, offset uint64, count uint32) wire.ReadRes {
	return Body[wire.ReadRes](s.t, s.Expect(wire.OK, wire.PutFHArgs{Object: f.FH},
		wire.ReadArgs{Stateid: f.Stateid, Offset: offset, Count: count}))
}

// Mkdir creates a directory.
func (s *Session) Mkdir(dir wire.FH, name string) wire.FH {
	return s.Make(dir, wire.CreateArgs{
		ObjType: wire.TypeDir, ObjName: []byte(name), CreateAttrs: client.ModeAttr(0o755).Encode(),
	})
}

// Symlink creates a symbolic link.
func (s *Session) Symlink(dir wire.FH, name, target string) wire.FH {
	return s.Make(dir, wire.CreateArgs{ObjType: wire.TypeLnk, LinkData: []byte(target), ObjName: []byte(name)})
}

// Make creates what is no regular file.
func (s *Session) Make(dir wire.FH, args wire.CreateArgs) wire.FH {
	reply := s.Expect(wire.OK, wire.PutFHArgs{Object: dir}, args, wire.GetFHArgs{})
	return Body[wire.GetFHRes](s.t, reply).Object
}

// Attrs returns those of the attributes that the server has for an object.
func (s *Session) Attrs(fh wire.FH, attrs ...wire.Attr) client.Attrs {
	reply := s.Expect(wire.OK, wire.PutFHArgs{Object: fh}, wire.GetattrArgs{AttrRequest: wire.BitmapOf(attrs...)})
	a, err := client.DecodeAttrs(Body[wire.GetattrRes](s.t, reply).ObjAttributes)
	s.t.Check("GETATTR", err)
	return a
}
