//go:build ceph

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// besideExport has the same id for both, by which either finds the other's session.
const besideExport = `EXPORT { Export_Id = 1; Path = /; Pseudo = /fs; Access_Type = RW; Squash = none; SecType = sys; FSAL { Name = CEPH; User_Id = admin; } }
`

// ganesha starts nfs-ganesha as a member of the cluster.
func (c *town) ganesha(name string) *gate {
	c.Helper()
	g := &gate{town: c, name: name, addr: freeAddr(c.T), dir: c.TempDir()}
	host, port, err := net.SplitHostPort(g.addr)
	if err != nil {
		c.Fatal(err)
	}
	conf := fmt.Sprintf(`
NFS_CORE_PARAM { Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; Bind_addr = ::ffff:%s; NFS_Port = %s;
  Plugins_Dir = /usr/lib/x86_64-linux-gnu/ganesha; }
NFSv4 { RecoveryBackend = rados_cluster; Minor_Versions = 1, 2; Delegations = false; Grace_Period = 10; Lease_Lifetime = 10; }
RADOS_KV { ceph_conf = %q; UserId = admin; nodeid = %s; pool = %s; namespace = %s; }
CEPH { Ceph_Conf = %q; }
%s`, host, port, c.at.conf, name, c.at.pool, c.at.namespace, c.at.conf, besideExport)
	file := filepath.Join(g.dir, "conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		c.Fatal(err)
	}
	g.command = exec.Command(ganeshaName, "-F", "-f", file, "-L", filepath.Join(g.dir, "log"), "-p", filepath.Join(g.dir, "pid"), "-N", "NIV_EVENT")
	g.launch()
	c.Cleanup(g.cleanup)
	return g
}

// look finds the holder's file by its name: servers of two kinds have file handles
// of two kinds.
func (h *holder) look() {
	h.Helper()
	h.must(patient(h.Context(), func() (err error) {
		h.fh, err = h.s.Lookup(h.Context(), "/fs/"+h.owner)
		return err
	}))
}

// return1 comes back to a server of whatever kind, and reclaims all.
func (h *holder) return1(g *gate) {
	h.Helper()
	ctx := h.Context()
	g.until(g.name+" takes sessions", func() bool { return h.session(ctx, g.addr) == nil })
	h.look()
	h.must(h.reclaim(ctx))
	h.must(patient(ctx, func() error { return h.lock(ctx, 0, true) }))
	h.must(h.complete(ctx))
}

// Servers of both kinds are members of one cluster, and take each other's places.
func beside(t *testing.T, found func(...string) *town) {
	if _, err := exec.LookPath(ganeshaName); err != nil {
		t.Skip(err)
	}
	ctx := t.Context()
	c := found("a", "g")
	c.conf = filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(c.conf, fmt.Appendf(nil, "CEPH { Ceph_Conf = %q; }\n%s", c.at.conf, besideExport), 0o600); err != nil {
		t.Fatal(err)
	}
	still := func(what string) {
		t.Helper()
		c.until(what, func() bool {
			db := c.said()
			return db.Rec == 0 && db.Nodes["a"] == 0 && db.Nodes["g"] == 0
		})
	}
	a, g := c.gateway("a"), c.ganesha("g")
	still("both are up")
	x := a.holder("x")
	y := &holder{T: t, owner: "y"}
	c.until("ganesha takes sessions", func() bool { return y.session(ctx, g.addr) == nil })
	y.must(y.fresh(ctx, g.addr))
	x.must(patient(ctx, func() error { return x.lock(ctx, 0, false) }))
	y.must(patient(ctx, func() error { return y.lock(ctx, 0, false) }))

	g.kill()
	g.launch()
	c.until("ganesha recovers", func() bool { return c.said().Nodes["g"]&cluster.Need != 0 })
	c.until("a enforces", func() bool { db := c.said(); return db.AllEnforcing() })
	if err := x.lock(ctx, 1, false); !client.IsStatus(err, wire.ErrGrace) {
		t.Errorf("new state of a while ganesha's clients may reclaim: %v", err)
	}
	y.return1(g)
	still("ganesha is back")
	x.must(patient(ctx, func() error { return x.lock(ctx, 1, false) }))

	a.kill()
	a.start()
	c.until("a recovers", func() bool { return a.status().Phase == "recovering" })
	x.return1(a)
	still("a is back")

	// Ganesha takes the place of a, and gives it back.
	a.kill()
	successor := c.ganesha("a")
	x.return1(successor)
	still("a is ganesha")
	successor.kill()
	a.start()
	if s := a.status(); len(s.Clients) != 1 || !strings.Contains(s.Clients[0].Owner, "x") || !s.Clients[0].MayReclaim {
		t.Errorf("after ganesha: %+v", s.Clients)
	}
	x.return1(a)
	still("a is tidegate again")
	x.s.Close()
	y.s.Close()
}
