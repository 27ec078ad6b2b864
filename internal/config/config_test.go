package config

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// texts are files and objects in memory, by path and URL.
type texts map[string]string

func (all texts) ReadFile(name string) ([]byte, error) {
	text, ok := all[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (all texts) Fetch(_ context.Context, o Object, _ RadosURLs) ([]byte, error) {
	return all.ReadFile(o.String())
}

func load(all texts, file string) *Config {
	return Sources{ReadFile: all.ReadFile, Fetch: all.Fetch}.Load(context.Background(), file)
}

func lines(findings []Finding, severity Severity) (all []string) {
	for _, f := range findings {
		if f.Severity == severity {
			all = append(all, f.String())
		}
	}
	return all
}

const goodExport = `EXPORT { Export_Id = 1; Path = /srv; Pseudo = /srv; Access_Type = RW; Squash = none; FSAL { Name = VFS; } `

func TestErrors(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown key", "NFSv4 {\n  Grace_Peroid = 90;\n}", "c:2:3: error: unknown key Grace_Peroid in NFSv4; did you mean Grace_Period?"},
		{"key of another block", "NFSv4 { Bind_addr = ::1; }", "c:1:9: error: unknown key Bind_addr in NFSv4; Bind_addr belongs in NFS_CORE_PARAM"},
		{"key of nobody", "NFSv4 { Frobnication = 1; }", "c:1:9: error: unknown key Frobnication in NFSv4"},
		{"unknown block", "NFS4 { }", "c:1:1: error: unknown block NFS4; did you mean NFSv4?"},
		{"unknown block inside", goodExport + "CLEINT { } }", "c:1:107: error: unknown block CLEINT in EXPORT; did you mean CLIENT?"},
		{"block as key", goodExport + "CLIENT = a; }", "c:1:107: error: CLIENT is a block; write CLIENT { key = value; }"},
		{"key outside", "Grace_Period = 90;", "c:1:1: error: Grace_Period stands outside of all blocks; Grace_Period belongs in NFSv4"},
		{"range", "NFSv4 { Grace_Period = 10; }", "c:1:9: error: Grace_Period: 10 is not in 15 to 600 seconds"},
		{"negative", "NFSv4 { Grace_Period = -20; }", "c:1:9: error: Grace_Period: -20 is not in 15 to 600 seconds"},
		{"number", "NFSv4 { Grace_Period = 90s; }", `c:1:9: error: Grace_Period: "90s" is not a number`},
		{"boolean", "NFSv4 { Delegations = 1; }", `c:1:9: error: Delegations: "1" is not true or false`},
		{"address", "NFS_CORE_PARAM { Bind_addr = host; }", `c:1:18: error: Bind_addr: "host" is not an address`},
		{"choice", "EXPORT_DEFAULTS { Squash = allsquahs; }", `c:1:19: error: Squash: "allsquahs" is none of root_squash or root or rootsquash, root_id_squash or rootid or rootidsquash, all_squash or all or allsquash or all_anonymous or all_anomnymous or allanonymous, none or no_root_squash or noidsquash; did you mean allsquash?`},
		{"no value", "NFSv4 { Lease_Lifetime = ; }", "c:1:9: error: Lease_Lifetime: there is no value"},
		{"too many values", "NFSv4 { Lease_Lifetime = 60, 70; }", "c:1:9: error: Lease_Lifetime: there are 2 values where one is taken"},
		{"no semicolon", "NFSv4 { Lease_Lifetime = 60 }", `c:1:29: error: unexpected token "}" (expected ";")`},
		{"no brace", "NFSv4 { Lease_Lifetime = 60;", `c:1:29: error: the text ends here (expected "}")`},
		{"open quote", "NFSv4 { RecoveryRoot = \"a; }", `c:1:24: error: unexpected token "\"" (expected ";")`},
		{"minus for equals", "EXPORT { Export_Id - 0; }", `c:1:20: error: unexpected token "-" (expected "=" or "{")`},
		{"too deep", strings.Repeat("a { ", maxDepth+1), "c:1:67: error: blocks nest deeper than 16"},
		{"directive", "%includes a", "c:1:1: error: unknown directive %includes; there are %include, %dir and %url"},
		{"no target", "%include", "c:1:9: error: the text ends here (expected a name)"},
		{"missing file", "%include gone", "c:1:1: error: gone does not exist"},
		{"missing directory", "%dir /does/not/exist", "c:1:1: error: /does/not/exist cannot be read: open /does/not/exist: no such file or directory"},
		{"missing object", "%url rados://p/n/gone", "c:1:1: error: rados://p/n/gone does not exist"},
		{"url", "%url http://p/n/o", `c:1:1: error: "http://p/n/o" is not a rados:// URL`},
		{"url parts", "%url rados://a/b/c/d", `c:1:1: error: "rados://a/b/c/d": write rados://pool/namespace/object`},
		{"itself", "%include c", "c:1:1: error: c includes itself: c -> c"},
		{"no id", `EXPORT { Path = /a; Pseudo = /a; FSAL { } }`, "c:1:1: error: the export has no Export_Id"},
		{"no path", `EXPORT { Export_Id = 1; Pseudo = /a; FSAL { } }`, "c:1:1: error: the export has no Path"},
		{"relative path", `EXPORT { Export_Id = 1; Path = a; Pseudo = /a; FSAL { } }`, `c:1:25: error: Path: "a" is not absolute`},
		{"relative path in CephFS", `EXPORT { Export_Id = 1; Path = a; Pseudo = /a; FSAL { Name = ceph; } }`, `c:1:25: error: Path: "a" is not absolute`},
		{"path beyond the mount", `EXPORT { Export_Id = 1; Path = /ab; Pseudo = /a; FSAL { Name = CEPH; cmount_path = /a/; } }`,
			"c:1:25: error: Path: /ab is not in the cmount_path /a/"},
		{"no pseudo", `EXPORT { Export_Id = 1; Path = /a; FSAL { } }`, "c:1:1: error: the export has no Pseudo"},
		{"relative pseudo", `EXPORT { Export_Id = 1; Path = /a; Pseudo = a; FSAL { } }`, `c:1:36: error: Pseudo: "a" is not absolute`},
		{"no file system", `EXPORT { Export_Id = 1; Path = /a; Pseudo = /a; }`, "c:1:1: error: the export has no FSAL block"},
		{"id of the root", `EXPORT { Export_Id = 0; Path = /a; Pseudo = /a; FSAL { } }`, "c:1:10: error: Export_Id: 0 is for the export whose Pseudo is /"},
		{"same id", goodExport + "}\n" + `EXPORT { Export_Id = 1; Path = /a; Pseudo = /a; FSAL { } }`, "c:2:10: error: Export_Id: 1 is that of the export at c:1:1"},
		{"same pseudo", goodExport + "}\n" + `EXPORT { Export_Id = 2; Path = /a; Pseudo = /srv/; FSAL { } }`, "c:2:36: error: Pseudo: /srv is that of the export at c:1:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(texts{"c": test.text}, "c")
			if got := lines(c.Findings, Error); !cmp.Equal(got, []string{test.want}) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if !c.Failed() {
				t.Error("the configuration counts as good")
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"no effect", "MDCACHE { Reaper_Work = 0; }", []string{"c:1:11: warning: Reaper_Work has no effect here"}},
		{"no effect and wrong", "cacheinode { reaper_work = x; }", []string{`c:1:14: warning: Reaper_Work has no effect here, and its value is wrong: "x" is not a number`}},
		{"plugin", "%plugin x", []string{"c:1:1: warning: %plugin has no effect here"}},
		{"set again", "NFSv4 { Grace_Period = 90; }\nNFSV4 { grace_period = 60; }", []string{"c:2:9: warning: Grace_Period is set again; this one counts, not that at c:1:9"}},
		{"grace", "NFSv4 { Graceless = true; }", []string{"c:1:9: warning: Graceless = true cannot be honoured; false can, so this configuration cannot be served"}},
		{"minor versions", "NFSv4 { Minor_Versions = 0; }", []string{"c:1:9: warning: Minor_Versions = 0 cannot be honoured without 1 or 2, so this configuration cannot be served"}},
		{"protocol", "NFS_CORE_PARAM { Protocols = 3; }", []string{"c:1:18: warning: Protocols = 3 cannot be honoured without 4, so this configuration cannot be served"}},
		{"squash", goodExport + "Squash = All; }", []string{"c:1:107: warning: Squash is set again; this one counts, not that at c:1:71"}},
		{"security", goodExport + "SecType = krb5p; }", []string{"c:1:107: warning: SecType = krb5p cannot be honoured without sys or none, so this export cannot be served"}},
		{"export protocol", goodExport + "Protocols = 3; }", []string{"c:1:107: warning: Protocols = 3: without 4 the export is not served"}},
		{"clients", goodExport + "CLIENT { Clients = *; } }", nil},
		{"file system", "EXPORT { Export_Id = 1; Path = x; Pseudo = /a; Access_Type = RW; Squash = none; FSAL { Name = RGW; } }",
			[]string{"c:1:88: warning: Name = RGW cannot be honoured; VFS or XFS or MEM or CEPH can, so this export cannot be served"}},
		{"one line", "EXPORT { Export_Id = 1; Path = x; Pseudo = /a; Access_Type = RW; Squash = none; FSAL { Name = \"R\n\x1b\"; } }",
			[]string{`c:1:88: warning: Name = "R\n\x1b" cannot be honoured; VFS or XFS or MEM or CEPH can, so this export cannot be served`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(texts{"c": test.text}, "c")
			if got := lines(c.Findings, Warning); !cmp.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			if errs := lines(c.Findings, Error); len(errs) > 0 {
				t.Errorf("errors: %q", errs)
			}
		})
	}
}

// Every block's faults are found, and in the order of their places.
func TestAllFindings(t *testing.T) {
	c := load(texts{
		"c": "NFSv4 { a }\nLOG { b = 1; }\n%include d\nNFSv4 { Lease_Lifetime = x; Delegations = y; }",
		"d": "}\nVFS { c = 1; }",
	}, "c")
	want := []string{
		`c:1:11: error: unexpected token "}" (expected "=" or "{")`,
		"c:2:7: error: unknown key b in LOG",
		`c:4:9: error: Lease_Lifetime: "x" is not a number`,
		`c:4:29: error: Delegations: "y" is not true or false`,
		`d:1:1: error: unexpected token "}"`,
		"d:2:7: error: unknown key c in VFS",
	}
	if diff := cmp.Diff(want, lines(c.Findings, Error)); diff != "" {
		t.Error(diff)
	}
}

// everySource is a configuration in files and objects that take each other in.
func everySource() texts {
	return texts{
		"/etc/c": `# comment
nfs_core_param { NFS_PORT = 0x801; bind_addr = "::1"; }
NFSv4 { Lease_Lifetime = 012; Delegations = YES; RecoveryRoot = '/var/lib/nfs#1'; } # more
RADOS_URLS { UserId = u; watch_url = "rados://p/n/conf"; }
%include "sub/d.conf"
%url rados://p/n/conf
EXPORT_DEFAULTS { Access_Type = ro; Anonymous_uid = -2; SecType = sys, krb5; CLIENT { Clients = last; } }
`,
		"/etc/sub/d.conf": `Log { Default_Log_Level = F_DBG; }`,
		"rados://p/n/conf": `%url "rados://p/n/export-1"

`,
		"rados://p/n/export-1": `EXPORT {
	FSAL { name = "CEPH"; user_id = "nfs.c.fs.0123abcd"; filesystem = "my\"fs"; secret_access_key = "AQ=="; cmount_path = "/"; }
	CLIENT { clients = 10.0.0.0/8, host; clients = "@group", *.example.org, fe80::1; access_type = "RW"; squash = "All_Anonymous"; }
	CLIENT { clients = 2001:db8::/32; }
	export_id = 7; path = "/v"; pseudo = "/a/"; squash = "none"; protocols = 3, 4; transports = "TCP";
}`,
	}
}

func TestSettings(t *testing.T) {
	c := load(everySource(), "/etc/c")
	if errs := lines(c.Findings, Error); len(errs) > 0 {
		t.Fatalf("errors: %q", errs)
	}
	if v := c.V4; v.Lease != 10*time.Second || v.Grace != 90*time.Second || !v.Delegations || v.RecoveryRoot != "/var/lib/nfs#1" {
		t.Errorf("NFSv4: %+v", v)
	}
	if c.Core.Port != 2049 || c.Core.Addr != "::1" || c.Log.Level != "FULL_DEBUG" || c.RadosURLs.WatchURL != "rados://p/n/conf" {
		t.Errorf("core: %+v, log: %+v, urls: %+v", c.Core, c.Log, c.RadosURLs)
	}
	if len(c.Exports) != 1 {
		t.Fatalf("%d exports", len(c.Exports))
	}
	x := c.Exports[0]
	perms := Permissions{
		Access: "RO", Squash: "none", AnonUID: -2, AnonGID: -2, SecTypes: []string{"sys", "krb5"},
		Protocols: []string{"3", "4"}, Transports: []string{"TCP"}, Delegations: "none", AttrLife: 60,
	}
	first := perms
	first.Access, first.Squash = "RW", "all_squash"
	want := Export{
		Pos: x.Pos, ID: 7, Path: "/v", Pseudo: "/a", MaxRead: maxIO, MaxWrite: maxIO, Permissions: perms,
		FSAL: FSAL{Name: "CEPH", UserID: "nfs.c.fs.0123abcd", Secret: "AQ==", Filesystem: `my"fs`, MountPath: "/"},
		Clients: []Client{
			{[]string{"10.0.0.0/8", "host", "@group", "*.example.org", "fe80::1"}, first},
			{[]string{"2001:db8::/32"}, perms},
			{[]string{"last"}, perms},
		},
	}
	if diff := cmp.Diff(want, x); diff != "" {
		t.Error(diff)
	}
	if len(x.Beyond) != 0 {
		t.Errorf("beyond: %q", x.Beyond)
	}
	wantObjects := []Object{{"p", "n", "conf"}, {"p", "n", "export-1"}}
	if diff := cmp.Diff(wantObjects, c.Objects); diff != "" {
		t.Error(diff)
	}
}

// What Print writes reads back as the same settings, and holds no secret.
func TestPrint(t *testing.T) {
	c := load(texts{"c": `NFSv4 { Lease_Lifetime = 30; }
EXPORT_DEFAULTS { Squash = none; }
EXPORT { Export_Id = 3; Path = "/a b"; Pseudo = /x; Access_Type = RW; Delegations = R;
 FSAL { Name = VFS; Secret_Access_Key = hush; } CLIENT { Clients = a, b; } }`}, "c")
	var out strings.Builder
	c.Print(&out)
	if strings.Contains(out.String(), "hush") {
		t.Error("the secret is shown")
	}
	again := load(texts{"c": out.String()}, "c")
	if errs := lines(again.Findings, Error); len(errs) > 0 {
		t.Fatalf("%s\n%q", out.String(), errs)
	}
	c.Exports[0].Pos, again.Exports[0].Pos = Pos{}, Pos{}
	c.Exports[0].Beyond, again.Exports[0].Beyond = nil, nil
	c.Exports[0].FSAL.Secret, again.Exports[0].FSAL.Secret = "", ""
	if diff := cmp.Diff(c.Settings, again.Settings); diff != "" {
		t.Error(diff)
	}
	for _, line := range []string{"Lease_Lifetime = 30; # c:1:9", "Grace_Period = 90; # default", `Path = "/a b"; # c:3:25`, "Squash = none; # inherited"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
}

func TestBounds(t *testing.T) {
	chain := texts{}
	for i := range maxIncludes + 1 {
		chain[strings.Repeat("f", i+1)] = "%include " + strings.Repeat("f", i+2)
	}
	for _, test := range []struct {
		name string
		all  texts
		want string
	}{
		{"chain", chain, "files include each other"},
		{"cycle", texts{"f": "%url rados://o", "rados://o": "%include f"}, "f includes itself: f -> rados://o -> f"},
		{"size", texts{"f": strings.Repeat(" ", MaxSource+1)}, "f is larger than 4 MiB"},
		{"count", texts{"f": strings.Repeat("%include g\n", maxSources+1), "g": ""}, "more than 4096 files and objects"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := load(test.all, "f")
			if got := lines(c.Findings, Error); len(got) == 0 || !strings.Contains(got[0], test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFetchFails(t *testing.T) {
	broken := func(context.Context, Object, RadosURLs) ([]byte, error) { return nil, errors.New("no monitor answers") }
	for _, test := range []struct {
		s    Sources
		want string
	}{
		{Sources{}, "c:1:1: error: rados://o cannot be read: this program has no way to RADOS"},
		{Sources{Fetch: broken}, "c:1:1: error: rados://o cannot be read: no monitor answers"},
	} {
		test.s.ReadFile = texts{"c": "%url rados://o"}.ReadFile
		if got := lines(test.s.Load(context.Background(), "c").Findings, Error); !cmp.Equal(got, []string{test.want}) {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// The RADOS_URLS that stand before a %url say how it is read.
func TestFetchSettings(t *testing.T) {
	var got RadosURLs
	s := Sources{
		ReadFile: texts{"c": `RADOS_URLS { UserId = "u"; ceph_conf = /c; } %url rados://o`}.ReadFile,
		Fetch: func(_ context.Context, _ Object, with RadosURLs) ([]byte, error) {
			got = with
			return nil, nil
		},
	}
	s.Load(context.Background(), "c")
	if want := (RadosURLs{CephConf: "/c", UserID: "u"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.conf": "NFSv4 { Lease_Lifetime = 40; }", "a.conf": "NFSv4 { Lease_Lifetime = 30; }", "c.off": "junk",
		"main": "%dir \"" + dir + "/*.conf\"",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := Sources{}.Load(context.Background(), filepath.Join(dir, "main"))
	if c.Failed() || c.V4.Lease != 40*time.Second {
		t.Errorf("lease %v, findings %q", c.V4.Lease, c.Findings)
	}
}

func TestParseURL(t *testing.T) {
	for _, test := range []struct {
		url  string
		want Object
		ok   bool
	}{
		{"rados://o", Object{Name: "o"}, true},
		{"rados://p/o", Object{Pool: "p", Name: "o"}, true},
		{"rados://p/n/o", Object{"p", "n", "o"}, true},
		{"rados://", Object{}, false},
		{"rados://p//o", Object{}, false},
		{"p/n/o", Object{}, false},
	} {
		got, err := ParseURL(test.url)
		if (err == nil) != test.ok || test.ok && (got != test.want || got.String() != test.url) {
			t.Errorf("%s: got %+v, %v", test.url, got, err)
		}
	}
}
