// Command guest runs inside a guest of package vm: as its init, and, when a
// command names it, as a checker of what a mounted file system must do:
//
//	guest CHECK DIR
//
// runs one check in a new directory below DIR, prints what was wrong, and exits
// with 1 if anything was. Programs that do as they are told stand beside the
// checks; each says of itself how it is run.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
)

// checks maps the name of each check to its function.
func checks() map[string]func(*check) {
	return map[string]func(*check){
		"access":    access,
		"append":    appending,
		"attrs":     attrs,
		"bigdir":    bigDir,
		"bulk":      bulk,
		"df":        df,
		"exclusive": exclusive,
		"full":      full,
		"hardlink":  hardLink,
		"holes":     holes,
		"locks":     locks,
		"mmap":      memoryMap,
		"names":     names,
		"open":      openModes,
		"random":    randomIO,
		"rename":    rename,
		"special":   special,
		"survive":   survive,
		"symlink":   symlink,
		"times":     times,
		"tree":      tree,
		"truncate":  truncate,
		"unlink":    unlink,
	}
}

func main() {
	if os.Getpid() == 1 {
		runInit()
		return
	}
	runProgram(os.Args[1:])
	if len(os.Args) != 3 || checks()[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: guest CHECK DIR; the checks are", slices.Sorted(maps.Keys(checks())))
		os.Exit(2)
	}
	if !run(checks()[os.Args[1]], os.Args[2], os.Args[1]) {
		os.Exit(1)
	}
}
