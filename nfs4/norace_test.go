//go:build !race

package nfs4_test

const raceEnabled = false
