//go:build ceph

package ceph

import (
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// TestDurable checks that what was answered outlives the process, which libcephfs
// would have lost with the capabilities that it had to change it by itself.
func TestDurable(t *testing.T) {
	const size = 5000
	for _, tt := range []struct {
		name string
		grow func(*fsal.Req, fsal.Created) error
	}{
		{"size", func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.Node.Setattr(r, nil, fsal.SetAttr{Mask: fsal.SetSize, Size: size})
			return err
		}},
		{"size by open file", func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.Node.Setattr(r, c.File, fsal.SetAttr{Mask: fsal.SetSize, Size: size})
			return err
		}},
		{"synced data", func(r *fsal.Req, c fsal.Created) error {
			_, _, err := c.File.WriteAt(r, []byte("end"), size-3, fsal.DataSync)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newRig(t, 1)
			fs := x.open()
			root := x.root(fs)
			r := request(0)
			c, err := root.Create(r, "f", fsal.CreateSpec{Mode: fsal.CreateGuarded, Open: rw})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.File.WriteAt(r, []byte("begin"), 0, fsal.FileSync); err != nil {
				t.Fatal(err)
			}
			if err := tt.grow(r, c); err != nil {
				t.Fatal(err)
			}
			fs.Close() // as a process that dies leaves it
			_, root = x.tree()
			n, err := root.Lookup(r, "f")
			if err != nil {
				t.Fatal(err)
			}
			defer n.Put()
			a, err := n.Getattr(r)
			if err != nil {
				t.Fatal(err)
			}
			if a.Size != size {
				t.Errorf("the size was %d, and is %d to a successor", size, a.Size)
			}
		})
	}
}
