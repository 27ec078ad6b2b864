package rpc

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// authSys is the body of an AUTH_SYS credential.
func authSys(name string, uid, gid, count uint32, groups ...uint32) []byte {
	b := join(words(1, uint32(len(name))), []byte(name), make([]byte, -len(name)&3))
	return join(b, words(uid, gid, count), words(groups...))
}

func opaque(flavor uint32, body []byte) []byte {
	return join(words(flavor, uint32(len(body))), body, make([]byte, -len(body)&3))
}

func sixteen(extra ...uint32) []uint32 {
	var v []uint32
	for i := range uint32(16) {
		v = append(v, 100+i)
	}
	return append(v, extra...)
}

func TestReplies(t *testing.T) {
	const xid = 0xfeed
	head := func(proc uint32) []byte { return words(xid, msgCall, rpcVersion, testProg, testHigh, proc) }
	withCred := func(cred []byte) []byte { return join(head(procCred), cred, nullAuth) }
	sys := func(body []byte) []byte { return withCred(opaque(AuthSys, body)) }
	bad := authDenied(xid, AuthBadCred)

	tests := []struct {
		name string
		send []byte
		want []byte // nil: the connection is closed
	}{
		{"null", callBody(xid, procNull), accepted(xid, Success)},
		{"echo", callBody(xid, procEcho, 1, 2, 3, 4), accepted(xid, Success, 0x01020304)},
		{"lowest version", join(words(xid, 0, 2, testProg, testLow, 0), nullAuth, nullAuth), accepted(xid, Success)},
		{"version too low", join(words(xid, 0, 2, testProg, testLow-1, 0), nullAuth, nullAuth), accepted(xid, ProgMismatch, testLow, testHigh)},
		{"version too high", join(words(xid, 0, 2, testProg, testHigh+1, 0), nullAuth, nullAuth), accepted(xid, ProgMismatch, testLow, testHigh)},
		{"unknown program", join(words(xid, 0, 2, testProg+1, testHigh, 0), nullAuth, nullAuth), accepted(xid, ProgUnavail)},
		{"unknown procedure", callBody(xid, 99), accepted(xid, ProcUnavail)},
		{"bytes after the last argument", callBody(xid, procNoArgs, 0, 0, 0, 1), accepted(xid, GarbageArgs)},
		{"RPC version 1", join(words(xid, 0, 1, testProg, testHigh, 0), nullAuth, nullAuth), denied(xid, rejectMismatch, 2, 2)},
		{"RPC version 3 and nothing else", words(xid, 0, 3), denied(xid, rejectMismatch, 2, 2)},
		{"results dropped with an error", callBody(xid, procStatus, words(uint32(SystemErr))...), accepted(xid, SystemErr)},
		{"program denies", callBody(xid, procStatus, words(uint32(AuthTooWeak))...), authDenied(xid, AuthTooWeak)},
		{"program says nonsense", callBody(xid, procStatus, words(4711)...), accepted(xid, SystemErr)},
		{"program drops", callBody(xid, procStatus, words(uint32(Drop))...), nil},
		{"panic", callBody(xid, procPanic), accepted(xid, SystemErr)},
		{"panic repaired", callBody(xid, procRepair), accepted(xid, Success, 10006)},

		{"empty record", nil, nil},
		{"seven bytes", make([]byte, 7), nil},
		{"neither call nor reply", words(xid, 2, 2, testProg, testHigh, 0, 0, 0, 0, 0), nil},
		{"no version", words(xid, msgCall), nil},
		{"no program", words(xid, msgCall, rpcVersion), nil},
		{"no procedure", words(xid, msgCall, rpcVersion, testProg, testHigh), nil},

		{"no credential", head(procNull), bad},
		{"no verifier", join(head(procNull), nullAuth), authDenied(xid, AuthBadVerf)},
		{"credential of 400 bytes", withCred(opaque(AuthNone, make([]byte, 400))), accepted(xid, Success, 0, 0, 0, 0)},
		{"credential of 401 bytes", withCred(opaque(AuthNone, make([]byte, 401))), bad},
		{"credential of 2^32-1 bytes", withCred(words(AuthSys, math.MaxUint32)), bad},
		{"credential longer than the record", join(head(procNull), words(AuthSys, 100), make([]byte, 20)), bad},
		{"verifier of 401 bytes", join(head(procNull), nullAuth, opaque(AuthNone, make([]byte, 401))), authDenied(xid, AuthBadVerf)},
		{"verifier of another flavor", join(head(procNull), nullAuth, opaque(AuthSys, nil)), authDenied(xid, AuthBadVerf)},
		{"AUTH_SHORT", withCred(opaque(2, make([]byte, 8))), authDenied(xid, AuthRejectedCred)},
		{"RPCSEC_GSS", withCred(opaque(6, make([]byte, 20))), authDenied(xid, AuthRejectedCred)},
		{"flavor 2^32-1", withCred(opaque(math.MaxUint32, nil)), authDenied(xid, AuthRejectedCred)},

		{"0 groups", sys(authSys("host", 5, 6, 0)), accepted(xid, Success, AuthSys, 5, 6, 0)},
		{"16 groups", sys(authSys("h", 5, 6, 16, sixteen()...)), accepted(xid, Success, append([]uint32{AuthSys, 5, 6, 16}, sixteen()...)...)},
		{"17 groups", sys(authSys("host", 5, 6, 17, sixteen(1)...)), bad},
		{"2^31 groups", sys(authSys("host", 5, 6, 1<<31)), bad},
		{"fewer groups than announced", sys(authSys("host", 5, 6, 4, 1, 2, 3)), bad},
		{"name of 255 bytes", sys(authSys(strings.Repeat("n", 255), 5, 6, 0)), accepted(xid, Success, AuthSys, 5, 6, 0)},
		{"name of 256 bytes", sys(authSys(strings.Repeat("n", 256), 5, 6, 0)), bad},
		{"name longer than the body", sys(words(1, 200, 0, 0, 0, 0)), bad},
		{"name of 2^32-1 bytes", sys(words(1, math.MaxUint32, 0, 0, 0, 0)), bad},
		{"bytes after the groups", sys(append(authSys("host", 5, 6, 0), 0, 0, 0, 0)), bad},
		{"empty AUTH_SYS body", sys(nil), bad},
	}
	_, addr := serve(t, Config{Programs: []Program{newService(0).program()}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dialRaw(t, addr)
			c.send(fragment(true, tt.send))
			if tt.want == nil {
				c.closed()
				return
			}
			if got := c.record(); !bytes.Equal(got, tt.want) {
				t.Fatalf("got  %x\nwant %x", got, tt.want)
			}
			// The stream is still in step.
			c.send(call(xid+1, procNull))
			if got := c.record(); !bytes.Equal(got, accepted(xid+1, Success)) {
				t.Errorf("then got %x", got)
			}
		})
	}
}

// A reply that nobody waits for is passed over.
func TestUnknownReply(t *testing.T) {
	_, addr := serve(t, Config{Programs: []Program{newService(0).program()}})
	c := dialRaw(t, addr)
	c.send(join(fragment(true, accepted(1, Success)), call(2, procNull)))
	if got := c.record(); !bytes.Equal(got, accepted(2, Success)) {
		t.Errorf("got %x", got)
	}
}

// Rows of one program number are one program with the hull of their versions.
func TestProgramRows(t *testing.T) {
	one := func(vers uint32) Program {
		return Program{Number: 7, Low: vers, High: vers, Dispatch: func(c *Call) Status {
			c.Out.Uint32(vers)
			return Success
		}}
	}
	_, addr := serve(t, Config{Programs: []Program{one(3), one(5)}})
	c := dialRaw(t, addr)
	for vers, want := range map[uint32][]byte{
		3: accepted(1, Success, 3),
		4: accepted(1, ProgMismatch, 3, 5),
		5: accepted(1, Success, 5),
	} {
		c.send(fragment(true, join(words(1, 0, 2, 7, vers, 0), nullAuth, nullAuth)))
		if got := c.record(); !bytes.Equal(got, want) {
			t.Errorf("version %d: got %x, want %x", vers, got, want)
		}
	}
}
