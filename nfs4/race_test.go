//go:build race

package nfs4_test

// raceEnabled says that sync.Pool drops what it is given at random.
const raceEnabled = true
