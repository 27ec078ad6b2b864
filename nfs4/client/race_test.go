//go:build race

package client

// raceEnabled says that sync.Pool drops what it is given at random.
const raceEnabled = true
