package client

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidegate/tidegate/nfs4/wire"
)

// do is run with the body of type T picked out of the reply.
func do[T wire.Body](ctx context.Context, s *Session, ops ...wire.Args) (body T, err error) {
	reply, err := s.run(ctx, ops...)
	if err != nil {
		return body, err
	}
	return Body[T](reply)
}

// Walk returns the operations that lead from the root to path, whose parts are
// separated by slashes.
func Walk(path string) []wire.Args {
	ops := []wire.Args{wire.PutRootFHArgs{}}
	for name := range strings.SplitSeq(path, "/") {
		if name != "" {
			ops = append(ops, wire.LookupArgs{ObjName: []byte(name)})
		}
	}
	return ops
}

// Lookup returns the file handle of a path from the root.
func (s *Session) Lookup(ctx context.Context, path string) (wire.FH, error) {
	res, err := do[wire.GetFHRes](ctx, s, append(Walk(path), wire.GetFHArgs{})...)
	return res.Object, err
}

// OpenOptions is how to open a file.
type OpenOptions struct {
	Access uint32 // OpenShareAccess bits, wants among them; default both, no delegation
	Deny   uint32
	Owner  []byte // default: one for all of the session's opens

	Create bool            // UNCHECKED, or How
	Mode   uint32          // of a created file, if How is nil
	How    *wire.CreateHow // takes effect with Create
}

// File is an open file.
type File struct {
	FH      wire.FH
	Stateid wire.Stateid
	Res     wire.OpenRes
}

// Open opens the file name in dir.
func (s *Session) Open(ctx context.Context, dir wire.FH, name string, o OpenOptions) (*File, error) {
	args := wire.OpenArgs{
		ShareAccess: o.Access,
		ShareDeny:   o.Deny,
		Owner:       wire.StateOwner{ClientID: s.Client.ID, Owner: o.Owner},
		Claim:       wire.OpenClaim{Claim: wire.ClaimNull, File: []byte(name)},
	}
	if args.ShareAccess == 0 {
		args.ShareAccess = wire.OpenShareAccessBoth | wire.OpenShareAccessWantNoDeleg
	}
	if args.Owner.Owner == nil {
		args.Owner.Owner = []byte("owner")
	}
	if o.Create {
		args.OpenType = wire.OpenCreate
		args.How = wire.CreateHow{Mode: wire.Unchecked, CreateAttrs: ModeAttr(o.Mode).Encode()}
		if o.How != nil {
			args.How = *o.How
		}
	}
	reply, err := s.run(ctx, wire.PutFHArgs{Object: dir}, args, wire.GetFHArgs{})
	if err != nil {
		return nil, err
	}
	res, err := Body[wire.OpenRes](reply)
	if err != nil {
		return nil, err
	}
	fh, err := Body[wire.GetFHRes](reply)
	if err != nil {
		return nil, err
	}
	return &File{FH: fh.Object, Stateid: res.Stateid, Res: res}, nil
}

// CloseFile closes an open file.
func (s *Session) CloseFile(ctx context.Context, f *File) error {
	_, err := s.run(ctx, wire.PutFHArgs{Object: f.FH}, wire.CloseArgs{OpenStateid: f.Stateid})
	return err
}

// Read reads up to count bytes at offset.
func (s *Session) Read(ctx context.Context, fh wire.FH, id wire.Stateid, offset uint64, count uint32) (wire.ReadRes, error) {
	return do[wire.ReadRes](ctx, s, wire.PutFHArgs{Object: fh}, wire.ReadArgs{Stateid: id, Offset: offset, Count: count})
}

// Write writes data at offset; the server may take less.
func (s *Session) Write(ctx context.Context, fh wire.FH, id wire.Stateid, offset uint64, stable wire.StableHow, data []byte) (wire.WriteRes, error) {
	return do[wire.WriteRes](ctx, s, wire.PutFHArgs{Object: fh},
		wire.WriteArgs{Stateid: id, Offset: offset, Stable: stable, Data: data})
}

// Commit makes unstable writes durable; count 0 means to the end of the file.
func (s *Session) Commit(ctx context.Context, fh wire.FH, offset uint64, count uint32) (wire.CommitRes, error) {
	return do[wire.CommitRes](ctx, s, wire.PutFHArgs{Object: fh}, wire.CommitArgs{Offset: offset, Count: count})
}

// Getattr returns those of the attributes in mask that the server has.
func (s *Session) Getattr(ctx context.Context, fh wire.FH, mask wire.Bitmap) (Attrs, error) {
	res, err := do[wire.GetattrRes](ctx, s, wire.PutFHArgs{Object: fh}, wire.GetattrArgs{AttrRequest: mask})
	if err != nil {
		return Attrs{}, err
	}
	return DecodeAttrs(res.ObjAttributes)
}

// Setattr sets attributes; id is the zero Stateid unless a size wants an open's.
func (s *Session) Setattr(ctx context.Context, fh wire.FH, id wire.Stateid, attrs Attrs) (wire.SetattrRes, error) {
	return do[wire.SetattrRes](ctx, s, wire.PutFHArgs{Object: fh},
		wire.SetattrArgs{Stateid: id, ObjAttributes: attrs.Encode()})
}

// readdirSize is what one READDIR of Readdir may return.
const readdirSize = 64 << 10

// Readdir returns all entries of a directory with the attributes in mask.
func (s *Session) Readdir(ctx context.Context, dir wire.FH, mask wire.Bitmap) ([]wire.Entry, error) {
	args := wire.ReaddirArgs{DirCount: readdirSize, MaxCount: readdirSize, AttrRequest: mask}
	var all []wire.Entry
	for {
		res, err := do[wire.ReaddirRes](ctx, s, wire.PutFHArgs{Object: dir}, args)
		if err != nil {
			return all, err
		}
		all = append(all, res.Entries...)
		if res.EOF {
			return all, nil
		}
		if len(res.Entries) == 0 {
			return all, fmt.Errorf("%w: READDIR without entries and not at the end", ErrReply)
		}
		args.Cookie, args.CookieVerf = all[len(all)-1].Cookie, res.CookieVerf
	}
}

// Create creates what is no regular file, such as a directory or a symbolic link,
// and returns its file handle.
func (s *Session) Create(ctx context.Context, dir wire.FH, args wire.CreateArgs) (wire.FH, error) {
	res, err := do[wire.GetFHRes](ctx, s, wire.PutFHArgs{Object: dir}, args, wire.GetFHArgs{})
	return res.Object, err
}

// Mkdir creates a directory.
func (s *Session) Mkdir(ctx context.Context, dir wire.FH, name string, mode uint32) (wire.FH, error) {
	return s.Create(ctx, dir, wire.CreateArgs{
		ObjType: wire.TypeDir, ObjName: []byte(name), CreateAttrs: ModeAttr(mode).Encode(),
	})
}

// Remove removes a name.
func (s *Session) Remove(ctx context.Context, dir wire.FH, name string) error {
	_, err := s.run(ctx, wire.PutFHArgs{Object: dir}, wire.RemoveArgs{Target: []byte(name)})
	return err
}

// Rename moves a name from one directory to another.
func (s *Session) Rename(ctx context.Context, from wire.FH, old string, to wire.FH, name string) error {
	_, err := s.run(ctx, wire.PutFHArgs{Object: from}, wire.SaveFHArgs{}, wire.PutFHArgs{Object: to},
		wire.RenameArgs{OldName: []byte(old), NewName: []byte(name)})
	return err
}
