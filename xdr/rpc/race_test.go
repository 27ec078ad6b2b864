//go:build race

package rpc

// raceEnabled says that sync.Pool drops what it is given at random.
const raceEnabled = true
