// Package fsaltest checks that a file system keeps the contract of package fsal
// and behaves as POSIX has it. A file system's own test runs it in one line:
//
//	func TestConformance(t *testing.T) { fsaltest.Run(t, open) }
//
// What a Target cannot do is skipped, in one line each. Every refusal is checked
// for its exact error.
package fsaltest

import (
	"testing"

	"github.com/tidegate/tidegate/fsal"
)

// Target is a file system under test, and what may be asked of it.
type Target struct {
	// FS is open, has been given no Node or File out, and is used by one test
	// alone. The constructor closes it when the test ends.
	FS fsal.FS

	// Cred is on whose behalf most calls are made. It owns the root directory,
	// or may write there.
	Cred fsal.Cred

	// Privileged says that calls really have the rights of Req.Cred, whoever
	// that is, and that Cred is the superuser.
	Privileged bool

	// Devices says that the superuser may make block and character devices.
	Devices bool

	// Oldest is the first second that times can have.
	Oldest int64

	// NoHoles says that Attr.Used counts holes as well.
	NoHoles bool

	// Reopen returns the same tree opened anew, as it is after a restart. With
	// kill, the FS before it was not closed, and may have Nodes and Files out;
	// it is not used afterwards. Nil where Keys do not last.
	Reopen func(kill bool) fsal.FS

	// Small returns another FS of the kind that has room for about so many
	// bytes and files. Nil where that cannot be had.
	Small func(t *testing.T, bytes, files uint64) fsal.FS

	// Lose makes the FS lose what it holds for its caller, so that it tells of it by
	// Upcalls.Lost. Nil where that cannot be had.
	Lose func()

	// Refs counts the Nodes and Files that are out. Nil where it is not known.
	Refs func() int64
}

// groups are the tests, by name.
var groups = []struct {
	name string
	run  func(*env)
}{
	{"Names", names},
	{"Create", create},
	{"Make", makeObjects},
	{"Types", wrongTypes},
	{"Rename", rename},
	{"Links", links},
	{"Unlink", unlink},
	{"Attributes", attributes},
	{"Times", times},
	{"Change", change},
	{"Permissions", permissions},
	{"Ownership", ownership},
	{"Data", data},
	{"Size", size},
	{"Space", space},
	{"Seek", seek},
	{"Allocate", allocate},
	{"Copy", copying},
	{"Readdir", readdir},
	{"Keys", keys},
	{"Restart", restart},
	{"Xattrs", xattrs},
	{"ACLs", acls},
	{"Locks", locks},
	{"Delegations", delegations},
	{"Loss", loss},
	{"Model", model},
	{"Stress", stress},
}

// Run tests what open returns; it is called for every group of tests.
func Run(t *testing.T, open func(t *testing.T) Target) {
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			e := newEnv(t, open)
			defer e.done()
			g.run(e)
		})
	}
}
