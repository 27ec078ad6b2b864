package main

import "testing"

// The sessions of a gateway are not those of one whose name begins alike.
func TestSessionsOf(t *testing.T) {
	for uuid, want := range map[string]bool{
		"ganesha-a-0001": true, "ganesha-a-8f3a12c5": true, "ganesha-a-0001-1": true, "ganesha-a-8f3a12c5-12": true,
		"ganesha-a-b-0001": false, "ganesha-a-0001-0001": false, "ganesha-ab-0001": false, "ganesha-a-": false, "ganesha-a-001": false, "a-0001": false, "": false,
	} {
		if sessionsOf("a")(uuid) != want {
			t.Errorf("%q: %v", uuid, !want)
		}
	}
	if !sessionsOf("a-b")("ganesha-a-b-0001") {
		t.Error("a name with a dash")
	}
}
