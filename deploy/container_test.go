package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is put into the container is all that the server needs, and a runtime that
// is told what the README says runs it.
func TestContainer(t *testing.T) {
	rootOnly(t)
	tools(t, "unshare", "chroot", "mount", "tar")
	out, root := t.TempDir(), t.TempDir()
	storage := filepath.Join(out, "storage.conf")
	text := "[storage]\ndriver = \"vfs\"\ngraphroot = \"" + out + "/images\"\nrunroot = \"" + out + "/run\"\n"
	if err := os.WriteFile(storage, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"CONTAINERS_STORAGE_CONF=" + storage, "STORAGE_DRIVER=vfs", "BUILDAH_ISOLATION=chroot", "IMAGE=tidegate-test"}
	t.Log(run(t, env, "../scripts/container.sh", out))
	run(t, nil, "tar", "-C", root, "-xf", filepath.Join(out, "tidegate-root.tar"))

	t.Run("chroot", func(t *testing.T) {
		addr := configure(t, filepath.Join(root, "etc/tidegate/tidegate.conf"), "/srv")
		serve(t, addr, exec.Command("unshare", "--mount", "sh", "-c", `mount -t proc proc "$0/proc" && exec chroot "$0" "$@"`, root,
			"/usr/bin/tidegate", "serve", "--config", "/etc/tidegate/tidegate.conf", "--monitor", ""))
		exercise(t, addr, filepath.Join(root, "srv"))
	})
	t.Run("podman", func(t *testing.T) { underPodman(t, env) })
}

// underPodman runs the image as the README says, but in the foreground, with files
// elsewhere, and without what not every machine lets its root set: limits and
// control groups.
func underPodman(t *testing.T, env []string) {
	tools(t, "podman")
	const image = "tidegate-test"
	lowered := []string{"run", "--rm", "--cgroups", "disabled", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"}
	podman := func(args ...string) *exec.Cmd {
		// A hierarchy of control groups of its own, as crun runs nothing in a hybrid one.
		cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-c",
			`mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec podman "$@"`, "podman"}, append(lowered, args...)...)...)
		cmd.Env = append(os.Environ(), env...)
		return cmd
	}
	if said, err := podman(image, "version").CombinedOutput(); err != nil {
		t.Skipf("podman runs nothing here: %v: %s", err, bytes.TrimSpace(said))
	}

	etc, data, state := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(etc, "tidegate.conf")
	if err := os.WriteFile(conf, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	addr := configure(t, conf, "/srv/data")
	args := readme(t)
	if len(args) < 3 || args[0] != "podman" || args[1] != "run" || args[len(args)-1] != "tidegate" {
		t.Fatalf("the README's command is %q", args)
	}
	args[len(args)-1] = image
	args = slices.DeleteFunc(args, func(arg string) bool { return arg == "-d" })
	for i, arg := range args {
		for from, to := range map[string]string{"/etc/tidegate:": etc, "tidegate:": state, "/srv/data:": data} {
			if rest, ok := strings.CutPrefix(arg, from); ok && args[i-1] == "-v" {
				args[i] = to + ":" + rest
			}
		}
	}
	serve(t, addr, podman(append(args[2:], "serve", "--config", "/etc/tidegate/tidegate.conf", "--monitor", "")...))
	exercise(t, addr, data)
	if kept, err := os.ReadDir(state); err != nil || len(kept) == 0 {
		t.Errorf("the volume holds no state: %v", err)
	}
}

// readme is how the README has the image run.
func readme(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("container/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```\n")
	command, _, _ := strings.Cut(rest, "```")
	return strings.Fields(strings.ReplaceAll(command, "\\\n", " "))
}

// The capabilities that the README leaves the container suffice.
func TestContainerCapabilities(t *testing.T) {
	args := readme(t)
	i := slices.Index(args, "--cap-add")
	if i < 0 || i+1 == len(args) || !slices.Contains(args, "--cap-drop") {
		t.Fatalf("the README's command is %q", args)
	}
	serveWith(t, strings.Split(args[i+1], ","))
}
