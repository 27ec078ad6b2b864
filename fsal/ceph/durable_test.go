//go:build ceph

package ceph

import (
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// TestDurable checks what is left to a successor of that which was answered, where
// libcephfs has the capabilities to change it by itself: all of it after an orderly
// stop, and all but times after any end.
func TestDurable(t *testing.T) {
	stopped := func(fs *FS) { fs.Close() }
	killed := func(fs *FS) {
		fs.unmount(false) // the sessions are left as a process that is killed leaves them
		fs.Close()
	}
	const size, mode, uid = 5000, 0o600, 7
	sized := func(a *fsal.Attr) bool { return a.Size == size }
	for _, tt := range []struct {
		name   string
		end    func(*FS)
		change func(*fsal.Req, fsal.Created) error
		want   func(*fsal.Attr) bool
	}{
		{"size, killed", killed, func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.Node.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetSize, Size: size})
			return err
		}, sized},
		{"size by open file, killed", killed, func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.Node.Setattr(r, c.File, fsal.SetAttr{Mask: fsal.SetSize, Size: size})
			return err
		}, sized},
		{"synced data, killed", killed, func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.File.WriteAt(r, []byte("end"), size-3, fsal.DataSync)
			return err
		}, sized},
		{"mode, killed", killed, func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.Node.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMode, Mode: mode})
			return err
		}, func(a *fsal.Attr) bool { return a.Mode&0o7777 == mode }},
		{"owner, killed", killed, func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.Node.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetUID, UID: uid})
			return err
		}, func(a *fsal.Attr) bool { return a.UID == uid }},
		{"group, killed", killed, func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.Node.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetGID, GID: uid})
			return err
		}, func(a *fsal.Attr) bool { return a.GID == uid }},
		{"times, stopped", stopped, func(r *fsal.Req, c fsal.Created) error {
			c.File.Close() // or an MDS asks the OSDs when it was written last
			_, _, err := c.Node.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetMtime, Mtime: fsal.Time{Sec: size}})
			return err
		}, func(a *fsal.Attr) bool { return a.Mtime.Sec == size }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newRig(t, 1)
			fs := x.open()
			root, r := x.root(fs), request(0)
			c, err := root.Create(r, "f", fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.File.WriteAt(r, []byte("begin"), 0, fsal.FileSync); err != nil {
				t.Fatal(err)
			}
			if err := tt.change(r, c); err != nil {
				t.Fatal(err)
			}
			tt.end(fs)
			_, root = x.tree()
			n, err := root.Lookup(r, "f")
			if err != nil {
				t.Fatal(err)
			}
			defer n.Put()
			if a, err := n.Getattr(r); err != nil || !tt.want(&a) {
				t.Errorf("a successor finds %+v, %v", a, err)
			}
		})
	}
}
