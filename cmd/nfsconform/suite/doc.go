// Package suite is conformance tests for NFSv4.1 and 4.2 servers, and what runs
// them.
//
// # Tests
//
// A test is a row of its family's table and one small function:
//
//	var lookupTests = []Test{
//		{"LOOKUP1", 0, "18.13", "a name that is not there is NOENT", lookupAbsent},
//	}
//
//	func lookupAbsent(t *T) {
//		t.Expect(wire.ErrNoEnt, wire.PutFHArgs{Object: t.Dir()}, wire.LookupArgs{ObjName: []byte("absent")})
//	}
//
// A family is what its codes begin with: the operation's name, or a shorter one.
// It stands in a file of that name in lower case (lookup.go) with its table
// (lookupTests) first; families in families.go lists the tables, one a line. A
// large family has a second file, and its table stays in the first.
//
// Codes are stable: baselines name them. A new test takes the family's next number
// wherever it stands in the table, and the number of a test that goes is not used
// again. The section is RFC 8881's unless it names another RFC ("RFC 7862, 15.11").
// The expectation is one line, says what the server does, and starts in lower
// case.
//
// # What a test may rely on
//
// T.Expect and T.Do use the test's own client, made at first use. T.Dir is the
// test's own directory beneath the export, made at first use and removed with
// everything in it. T.NewSession makes a second client, or one with special
// settings; T.Dial a bare connection. All of a test's clients and state are gone
// from the server when it ends, however it ends. So a test undoes nothing, and
// assumes nothing of others: tests run alone and in any order.
//
// A method of T that cannot do what it says fails the test and does not return.
// An operation that the server may lack is asked for with T.Optional, which skips
// the test at NOTSUPP; T.Skip takes any other reason. Nothing sleeps: T.Until asks
// again until it is so. A test that waits for leases has the flag Waits, one that
// restarts the server Restarts.
//
// What was sent and what came back is kept, and is part of a failure's report.
package suite
