package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidegate/tidegate/internal/config"
	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr/rpc"
)

// hold has s hold a file open by so many owners, one of which locked bytes 5 to 14.
func (r *rig) hold(s *client.Session, export string, many int) {
	r.Helper()
	f := r.file(s, export, "f")
	dir, err := s.Lookup(r.Context(), export)
	if err != nil {
		r.Fatal(err)
	}
	for i := range many - 1 {
		if _, err := s.Open(r.Context(), dir, "f", client.OpenOptions{Owner: fmt.Append(nil, i)}); err != nil {
			r.Fatal(err)
		}
	}
	reply, err := s.Do(r.Context(), wire.PutFHArgs{Object: f.FH}, wire.LockArgs{
		LockType: wire.WriteLT, Offset: 5, Length: 10, NewLockOwner: true,
		OpenOwner: wire.OpenToLockOwner{OpenStateid: f.Stateid, LockOwner: wire.StateOwner{Owner: []byte("l")}},
	})
	if err == nil {
		err = reply.Err()
	}
	if err != nil {
		r.Fatal(err)
	}
}

// Lists show who holds what, and are cut off where they are long.
func TestListCommands(t *testing.T) {
	const many = defaultLimit + 100
	r := newRig(t, t.TempDir(), memExport(1, "/a"))
	one, two := r.mount("one"), r.mount("two\x1b[2J")
	r.hold(one, "/a", many)
	r.file(two, "/a", "g")

	var clients listing[clientView]
	if err := json.Unmarshal([]byte(r.must(clientCommand(), "", "list", "--json")), &clients); err != nil {
		t.Fatal(err)
	}
	if len(clients.List) != 2 || clients.List[0].Owner != `"one"` || clients.List[0].Opens != many || clients.List[0].Minor != 2 {
		t.Fatalf("clients: %+v", clients)
	}
	id := clients.List[0].ID
	for _, test := range []struct {
		cmd  *cobra.Command
		args []string
		rows int
		more bool
		has  string
	}{
		{clientCommand(), []string{"list"}, 2, false, `"two\x1b[2J"`},
		{sessionCommand(), []string{"list"}, 2, false, id},
		{openCommand(), []string{"list"}, defaultLimit, true, id},
		{openCommand(), []string{"list", "--limit", "5000"}, many + 1, false, "read+write"},
		{openCommand(), []string{"list", "--client", clients.List[1].ID}, 1, false, clients.List[1].ID},
		{lockCommand(), []string{"list"}, 1, false, "write  5      14"},
		{delegationCommand(), []string{"list"}, 0, false, "RECALLED"},
	} {
		out := r.must(test.cmd, "", test.args...)
		rows := strings.Count(out, "\n") - 1
		if more := strings.Contains(out, "these are the first"); more != test.more {
			t.Errorf("%s %q: cut off %v", test.cmd.Name(), test.args, more)
		} else if more {
			rows--
		}
		if rows != test.rows || !strings.Contains(out, test.has) || strings.Contains(out, "\x1b") {
			t.Errorf("%s %q: %d rows, want %d and %q:\n%.300s", test.cmd.Name(), test.args, rows, test.rows, test.has, out)
		}
	}
	for _, args := range [][]string{{"list", "--limit", "0"}, {"list", "--limit", "100001"}, {"list", "--client", "x"}, {}} {
		if out, err := r.command(openCommand(), "", args...); err == nil {
			t.Errorf("open %q: %q", args, out)
		}
	}
	if out := r.must(statusCommand(), ""); !strings.Contains(out, fmt.Sprintf("opens: %d, locks: 1,", many+1)) {
		t.Errorf("status says\n%s", out)
	}
}

// Who is evicted is told so, and goes on when he has freed what he lost.
func TestEvictCommand(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/a"))
	s := r.mount("one")
	f := r.file(s, "/a", "f")
	var clients listing[clientView]
	if err := json.Unmarshal([]byte(r.must(clientCommand(), "", "list", "--json")), &clients); err != nil {
		t.Fatal(err)
	}
	id := clients.List[0].ID
	if _, err := r.command(clientCommand(), "", "evict", id); err == nil {
		t.Error("an eviction without --force")
	}
	if _, err := r.command(clientCommand(), "", "evict", "1", "--force"); err == nil || !strings.Contains(err.Error(), `there is no client "1"`) {
		t.Errorf("an eviction of nobody: %v", err)
	}
	if out := r.must(clientCommand(), "", "evict", id, "--force"); !strings.Contains(out, "lost 1 opens") {
		t.Errorf("evict says %q", out)
	}
	if _, err := s.Write(t.Context(), f.FH, f.Stateid, 0, wire.FileSync, []byte("x")); !client.IsStatus(err, wire.ErrAdminRevoked) {
		t.Errorf("WRITE after an eviction: %v", err)
	}
	reply, err := s.Do(t.Context(), wire.FreeStateidArgs{Stateid: f.Stateid})
	if err != nil || reply.Err() != nil {
		t.Errorf("FREE_STATEID: %v, %v", err, reply)
	}
	r.file(s, "/a", "f")
	if out := r.must(clientCommand(), "", "show", id); !strings.Contains(out, "opens: 1,") {
		t.Errorf("show says %q", out)
	}
}

// SIGHUP reloads, and a level that was set by command stays until the
// configuration has another.
func TestHangup(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/a"))
	s := r.mount("one")
	if out := r.must(logCommand(), "", "level", "warn"); out != "warn\n" {
		t.Errorf("log level says %q", out)
	}
	if _, err := r.command(logCommand(), "", "level", "loud"); err == nil {
		t.Error("there is a level loud")
	}
	r.write(memExport(1, "/a") + memExport(2, "/b"))
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.eventually("the new export is there", func() bool { return r.sees(s, "/b") == nil })
	if out := r.must(logCommand(), "", "level"); out != "warn\n" {
		t.Errorf("after a reload the level is %q", out)
	}
}

// A minor version that is not asked for is not served.
func TestMinorVersions(t *testing.T) {
	r := newRig(t, t.TempDir(), memExport(1, "/a")+"NFSv4 { Minor_Versions = 2; }\n")
	r.mount("new")
	_, err := client.Mount(t.Context(), r.addr, client.Config{Minor: 1, Cred: rpc.Cred{Flavor: rpc.AuthSys}}, wire.ClientOwner{OwnerID: []byte("old")})
	if !client.IsStatus(err, wire.ErrMinorVersMismatch) {
		t.Errorf("minor version 1: %v", err)
	}
}

// A flag counts, then the configuration, then the default; and what cannot change
// while a server runs is named.
func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c")
	text := `NFS_CORE_PARAM { NFS_Port = 1; Bind_addr = ::1; Monitoring_Port = 2; RPC_Max_Connections = 3; Dispatch_Max_Reqs_Xprt = 4; }
NFSv4 { Lease_Lifetime = 10; Grace_Period = 20; Minor_Versions = 1; Enforce_UTF8_Validation = true; Server_Scope = s; Slot_Table_Size = 5; Max_Client_Ids = 6;
	Max_Open_States_Per_Client = 7; Expired_Client_Threshold = 8; Max_Alive_Time_For_Expired_Client = 9; }
LOG { Default_log_level = WARN; }
CEPH { Ceph_Conf = /c; }
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.Sources{}.Load(t.Context(), file)
	if c.Failed() {
		t.Fatal(c.Findings)
	}
	var s settings
	cmd := &cobra.Command{}
	s.register(cmd)
	if err := cmd.ParseFlags([]string{"--lease", "40s"}); err != nil {
		t.Fatal(err)
	}
	got := s.with(&c.Settings, cmd.Flags().Changed)
	limits := got.limits
	for what, ok := range map[string]bool{
		"lease":    got.lease == 40*time.Second,
		"grace":    got.grace == 20*time.Second,
		"listen":   slices.Equal(got.listen, []string{"[::1]:1"}),
		"monitor":  got.monitor == ":2",
		"level":    got.logLevel == "warn",
		"minors":   got.minors == [2]uint32{1, 1},
		"scope":    got.scope == "s",
		"utf8":     got.utf8,
		"limits":   limits.SlotsPerSession == 5 && limits.Clients == 6 && limits.StateidsPerClient == 7 && limits.CourtesyClients == 8,
		"courtesy": got.courtesy == 9*time.Second,
		"conns":    got.maxConns == 3 && got.maxInFlight == 4,
		"ceph":     got.cephConf == "/c",
		"others":   got.stateDir == s.stateDir && limits.Slots == s.limits.Slots,
	} {
		if !ok {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if d := got.differs(&got); len(d) > 0 {
		t.Errorf("it differs from itself in %q", d)
	}
	other := got
	other.lease, other.scope = time.Minute, "t"
	if d := got.differs(&other); !slices.Equal(d, []string{"Lease_Lifetime", "Server_Scope"}) {
		t.Errorf("it differs in %q", d)
	}
}
