package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The package installs, what it installs serves, and nothing of it stays when it
// is purged.
func TestDebianPackage(t *testing.T) {
	rootOnly(t)
	tools(t, "dpkg", "dpkg-deb", "dpkg-shlibdeps", "gcc")
	program := build(t, "CGO_ENABLED=1")
	deb := run(t, []string{"PROGRAM=" + program, "COMPRESSION=gzip"}, "../scripts/deb.sh", t.TempDir())

	root := t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	dpkg := func(args ...string) {
		t.Helper()
		run(t, nil, "dpkg", append([]string{"--root=" + root, "--force-depends", "--force-script-chrootless", "--log=/dev/null"}, args...)...)
	}
	dpkg("--install", deb)
	installed := func(path string) string { return filepath.Join(root, path) }
	for _, path := range []string{
		"lib/systemd/system/tidegate.service", "usr/share/man/man8/tidegate-serve.8.gz",
		"usr/share/bash-completion/completions/tidegate", "usr/lib/tidegate/ganesha.nfsd",
	} {
		if _, err := os.Stat(installed(path)); err != nil {
			t.Error(err)
		}
	}
	run(t, nil, installed("usr/bin/tidegate"), "check", installed("etc/tidegate/tidegate.conf"))

	t.Run("serve", func(t *testing.T) {
		dir := t.TempDir()
		conf := installed("etc/tidegate/tidegate.conf")
		addr := configure(t, conf, dir)
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		serve(t, addr, exec.Command(installed("usr/bin/tidegate"), "serve", "--config", conf,
			"--state-dir", installed("var/lib/tidegate"), "--monitor", ""))
		exercise(t, addr, dir)
	})

	t.Run("systemd", func(t *testing.T) { underSystemd(t, deb) })

	dpkg("--remove", "tidegate")
	if _, err := os.Stat(installed("etc/tidegate/tidegate.conf")); err != nil {
		t.Errorf("a removal takes the configuration: %v", err)
	}
	dpkg("--purge", "tidegate")
	for _, path := range []string{"etc/tidegate", "usr/bin/tidegate", "var/lib/tidegate"} {
		if _, err := os.Stat(installed(path)); err == nil {
			t.Errorf("%s stays", path)
		}
	}
	if lintian, err := exec.LookPath("lintian"); err == nil {
		run(t, nil, lintian, "--allow-root", "--fail-on", "error", "--suppress-tags", unhardened, deb)
	}
}

// unhardened is what lintian says of a program that was built for tests.
const unhardened = "unstripped-binary-or-object,hardening-no-pie,statically-linked-binary"

// The service runs with what its unit leaves it: capabilities, as the kernel would
// bound them, suffice for all that clients may ask.
func TestUnitCapabilities(t *testing.T) {
	unit, err := os.ReadFile("systemd/tidegate.service")
	if err != nil {
		t.Fatal(err)
	}
	var caps []string
	for line := range strings.Lines(string(unit)) {
		if names, ok := strings.CutPrefix(line, "CapabilityBoundingSet="); ok {
			caps = append(caps, strings.Fields(strings.ReplaceAll(names, "CAP_", ""))...)
		}
	}
	serveWith(t, caps)
}

// serveWith has a server serve that has some capabilities and no others.
func serveWith(t *testing.T, caps []string) {
	t.Helper()
	rootOnly(t)
	tools(t, "setpriv")
	if len(caps) == 0 {
		t.Fatal("there are no capabilities")
	}
	dir, conf := t.TempDir(), filepath.Join(t.TempDir(), "conf")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	addr := configure(t, conf, dir)
	bound := "-all,+" + strings.ToLower(strings.Join(caps, ",+"))
	serve(t, addr, exec.Command("setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set="+bound,
		build(t), "serve", "--config", conf, "--state-dir", t.TempDir(), "--monitor", ""))
	exercise(t, addr, dir)
}

// systemd finds nothing wrong with the units.
func TestUnits(t *testing.T) {
	tools(t, "systemd-analyze")
	dir := t.TempDir()
	for _, name := range []string{"tidegate.service", "tidegate.socket"} {
		text, err := os.ReadFile(filepath.Join("systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		// The program need not be installed to judge its unit.
		text = []byte(strings.ReplaceAll(string(text), "/usr/bin/tidegate", "/bin/true"))
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
		filepath.Join(dir, "tidegate.service"), filepath.Join(dir, "tidegate.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "tidegate") {
		t.Errorf("%v: %s", err, out)
	}
}
