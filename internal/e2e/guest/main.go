// Command guest runs inside a guest of package vm: as its init, and, when a
// command names it, as a checker of what a mounted file system must do.
package main

import "os"

func main() {
	if os.Getpid() == 1 {
		runInit()
	}
}
