package vm

import (
	"bytes"
	"fmt"
	"os"
)

// initramfs returns a cpio archive that holds a console device and init.
func initramfs(init []byte) []byte {
	var b bytes.Buffer
	entry := func(name string, mode, major, minor int, data []byte) {
		// newc: ino mode uid gid nlink mtime size, device, rdevice, name's length, no checksum
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
			0, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0, name)
		pad(&b)
		b.Write(data)
		pad(&b)
	}
	b.Grow(len(init) + 4096)
	entry("dev", 0o040755, 0, 0, nil)
	entry("dev/console", 0o020600, 5, 1, nil)
	entry("init", 0o100755, 0, 0, init)
	entry("TRAILER!!!", 0, 0, 0, nil)
	return b.Bytes()
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}

// writeInitramfs makes the file path an initramfs whose init is the program prog.
func writeInitramfs(path, prog string) error {
	init, err := os.ReadFile(prog)
	if err != nil {
		return err
	}
	return os.WriteFile(path, initramfs(init), 0o600)
}
