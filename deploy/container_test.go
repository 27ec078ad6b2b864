package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What is put into the container is all that the server needs.
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

	addr := configure(t, filepath.Join(root, "etc/tidegate/tidegate.conf"), "/srv")
	serve(t, addr, exec.Command("unshare", "--mount", "sh", "-c", `mount -t proc proc "$0/proc" && exec chroot "$0" "$@"`, root,
		"/usr/bin/tidegate", "serve", "--config", "/etc/tidegate/tidegate.conf", "--monitor", ""))
	exercise(t, addr, filepath.Join(root, "srv"))
}
