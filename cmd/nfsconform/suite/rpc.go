package suite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
	"github.com/tidegate/tidegate/xdr"
)

var rpcTests = []Test{
	{"RPC1", 0, "16.1", "NULL is answered, under its xid", rpcNull},
	{"RPC2", 0, "RFC 5531, 9", "an unknown program is PROG_UNAVAIL", rpcProgram},
	{"RPC3", 0, "RFC 5531, 9", "version 9 is PROG_MISMATCH, and the versions offered have 4", rpcVersion},
	{"RPC4", 0, "RFC 5531, 9", "procedure 2 is PROC_UNAVAIL", rpcProcedure},
	{"RPC5", 0, "RFC 5531, 9", "RPC version 3 is RPC_MISMATCH", rpcMismatch},
	{"RPC6", 0, "RFC 5531, appendix A", "AUTH_SYS of 0 and of 16 groups is taken", rpcGroups},
	{"RPC7", 0, "RFC 5531, appendix A", "AUTH_SYS of 17 groups is an authentication error, if not taken", rpcManyGroups},
	{"RPC8", 0, "RFC 5531, appendix A", "AUTH_SYS that says 2^31 groups is an authentication error", rpcLyingGroups},
	{"RPC9", 0, "RFC 5531, appendix A", "AUTH_SYS whose machine name is longer than its body is an authentication error", rpcLyingName},
	{"RPC10", 0, "RFC 5531, 8.2", "a credential above 400 bytes is refused", rpcLongCred},
	{"RPC11", 0, "RFC 5531, 8.2", "an unknown flavor is an authentication error", rpcFlavor},
	{"RPC12", 0, "RFC 5531, 8.2", "RPCSEC_GSS that is noise is refused", rpcGSSNoise},
	{"RPC20", 0, "RFC 5531, 11", "a record in fragments of one byte is answered", rpcTinyFragments},
	{"RPC21", 0, "RFC 5531, 11", "fragments of no bytes between others are borne or end the connection", rpcEmptyFragments},
	{"RPC22", 0, "RFC 5531, 11", "a fragment that says 2^31-1 bytes harms no other connection", rpcHugeFragment},
	{"RPC23", 0, "RFC 5531, 11", "two calls in one segment are both answered", rpcTwoCalls},
	{"RPC24", 0, "RFC 5531, 11", "100 calls that do not wait are all answered", rpcPipeline},
	{"RPC25", 0, "RFC 5531, 9", "a reply that nobody waits for does no harm", rpcStrayReply},
	{"RPC26", 0, "RFC 5531, 9", "a header that is cut off at any byte does no harm", rpcCutHeader},
	{"RPC27", 0, "RFC 5531, 11", "a call that arrives byte by byte is answered", rpcSlow},
	{"RPC28", 0, "RFC 5531, 11", "an empty record does no harm", rpcEmptyRecord},
	{"RPC29", 0, "2.9.1", "200 connections that say nothing do no harm", rpcIdle},
	{"RPC30", 0, "2.10.6.4", "records of noise do no harm", rpcNoise},
}

const (
	nfsProgram = 100003
	nfsVersion = 4
	xid        = 0x1234abcd

	lastFragment = 1 << 31
)

// header is the fields of a call (RFC 5531, 9).
type header struct {
	rpc, program, version, procedure uint32
	flavor                           uint32
	cred                             []byte
}

// nullCall returns a well-formed call of NULL.
func nullCall() header { return header{rpc: 2, program: nfsProgram, version: nfsVersion} }

// encode returns the call as a record without its marks.
func (h header) encode(xid uint32, args ...byte) []byte {
	var e xdr.Encoder
	for _, word := range []uint32{xid, 0, h.rpc, h.program, h.version, h.procedure, h.flavor} {
		e.Uint32(word)
	}
	e.Opaque(h.cred)
	e.Uint32(wire.AuthNone)
	e.Uint32(0)
	return append(e.Bytes(), args...)
}

// authSys returns an AUTH_SYS body with a machine name and groups.
func authSys(groups int) []byte {
	var e xdr.Encoder
	e.Uint32(1)
	e.String("host")
	e.Uint32(0)
	e.Uint32(0)
	e.Uint32(uint32(groups))
	for range groups {
		e.Uint32(7)
	}
	return e.Bytes()
}

// pipe is a TCP connection on which anything may be sent.
type pipe struct {
	net.Conn
	t *T
}

// pipe connects to the server.
func (t *T) pipe() pipe {
	var d net.Dialer
	c, err := d.DialContext(t.Ctx, "tcp", t.Target.Addr)
	t.Check("connect", err)
	t.Cleanup(func() { c.Close() })
	if until, ok := t.Ctx.Deadline(); ok {
		c.SetDeadline(until)
	}
	return pipe{c, t}
}

// fragment returns b behind a record mark.
func fragment(b []byte, last bool) []byte {
	mark := uint32(len(b))
	if last {
		mark |= lastFragment
	}
	return append(binary.BigEndian.AppendUint32(nil, mark), b...)
}

// send sends bytes as they are. That the server has closed is not an error yet.
func (p pipe) send(b []byte) {
	p.t.Logf("sent: %d bytes: %s", len(b), show(b))
	p.Write(b)
}

// record reads one record. It returns an error if the server closed.
func (p pipe) record() ([]byte, error) {
	var record []byte
	for {
		var mark [4]byte
		if _, err := io.ReadFull(p, mark[:]); err != nil {
			return nil, fmt.Errorf("the server closed the connection: %w", err)
		}
		n := binary.BigEndian.Uint32(mark[:])
		part := make([]byte, n&^lastFragment&(1<<24-1))
		if _, err := io.ReadFull(p, part); err != nil {
			return nil, err
		}
		if record = append(record, part...); n&lastFragment != 0 {
			p.t.Logf("got:  %d bytes: %s", len(record), show(record))
			return record, nil
		}
	}
}

// The fate of a call (RFC 5531, 9).
const (
	accepted = 0
	denied   = 1

	progUnavail  = 1
	progMismatch = 2
	procUnavail  = 3
	garbageArgs  = 4

	rpcVersMismatch = 0
	authError       = 1
)

// answer is a reply's fate and the words after it.
type answer struct {
	state, stat uint32
	rest        []uint32
}

// answer reads the reply to the call xid.
func (p pipe) answer(xid uint32) (a answer, err error) {
	record, err := p.record()
	if err != nil {
		return a, err
	}
	d := xdr.NewDecoder(record)
	if got, kind := d.Uint32(), d.Uint32(); got != xid || kind != 1 {
		return a, fmt.Errorf("a message of kind %d and xid %#x, expected the reply to %#x", kind, got, xid)
	}
	if a.state = d.Uint32(); a.state == accepted {
		d.Uint32()
		d.Opaque(400)
	}
	a.stat = d.Uint32()
	for d.Remaining() >= 4 {
		a.rest = append(a.rest, d.Uint32())
	}
	return a, d.Err()
}

// expectAnswer sends a call and fails the test unless it is answered so.
func (t *T) expectAnswer(h header, state, stat uint32) answer {
	p := t.pipe()
	p.send(fragment(h.encode(xid), true))
	a, err := p.answer(xid)
	t.Check("the reply", err)
	if a.state != state || a.stat != stat {
		t.Fatalf("the call is answered %d, %d; expected %d, %d (reply_stat; accept_stat or reject_stat)", a.state, a.stat, state, stat)
	}
	return a
}

// alive fails the test unless the server serves a new connection.
func (t *T) alive() {
	t.Check("NULL on another connection", t.Dial().Ping(t.Ctx))
}

// answered fails the test unless a call of NULL is answered on p.
func (p pipe) answered() {
	p.send(fragment(nullCall().encode(xid+1), true))
	_, err := p.answer(xid + 1)
	p.t.Check("NULL afterwards", err)
}

// closed says whether err is the server's end of a connection.
func closed(err error) bool {
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

func rpcNull(t *T) { t.expectAnswer(nullCall(), accepted, 0) }

func rpcProgram(t *T) {
	h := nullCall()
	h.program = 0x2fffffff
	t.expectAnswer(h, accepted, progUnavail)
}

func rpcVersion(t *T) {
	h := nullCall()
	h.version = 9
	a := t.expectAnswer(h, accepted, progMismatch)
	if len(a.rest) < 2 || a.rest[0] > nfsVersion || a.rest[1] < nfsVersion {
		t.Fatalf("the versions offered are %v", a.rest)
	}
}

func rpcProcedure(t *T) {
	h := nullCall()
	h.procedure = 2
	t.expectAnswer(h, accepted, procUnavail)
}

func rpcMismatch(t *T) {
	h := nullCall()
	h.rpc = 3
	a := t.expectAnswer(h, denied, rpcVersMismatch)
	if len(a.rest) < 2 || a.rest[0] != 2 || a.rest[1] != 2 {
		t.Fatalf("the RPC versions offered are %v", a.rest)
	}
}

// compoundWith sends an empty COMPOUND with a credential, and returns the answer.
func (t *T) compoundWith(flavor uint32, cred []byte) (answer, error) {
	h := nullCall()
	h.procedure, h.flavor, h.cred = 1, flavor, cred
	p := t.pipe()
	p.send(fragment(h.encode(xid, client.EncodeCompound(t.Target.Minor, "")...), true))
	return p.answer(xid)
}

func rpcGroups(t *T) {
	for _, n := range []int{0, 16} {
		a, err := t.compoundWith(wire.AuthSys, authSys(n))
		t.Check("the reply", err)
		if a.state != accepted || a.stat != 0 {
			t.Fatalf("AUTH_SYS of %d groups is answered %d, %d", n, a.state, a.stat)
		}
	}
}

// unauthenticated fails the test unless a credential is refused, in words or by the
// end of the connection, and the server lives on.
func (t *T) unauthenticated(flavor uint32, cred []byte) {
	a, err := t.compoundWith(flavor, cred)
	switch {
	case closed(err):
	case err != nil:
		t.Fatalf("the reply: %v", err)
	case a.state == denied && a.stat == authError, a.state == accepted && a.stat == garbageArgs:
	default:
		t.Fatalf("the credential is answered %d, %d; expected MSG_DENIED, AUTH_ERROR", a.state, a.stat)
	}
	t.alive()
}

func rpcManyGroups(t *T) {
	a, err := t.compoundWith(wire.AuthSys, authSys(17))
	if err == nil && a.state == accepted && a.stat == 0 {
		t.Logf("17 groups are taken")
		return
	}
	t.unauthenticated(wire.AuthSys, authSys(17))
}

func rpcLyingGroups(t *T) {
	body := authSys(1)
	binary.BigEndian.PutUint32(body[len(body)-8:], 1<<31)
	t.unauthenticated(wire.AuthSys, body)
}

func rpcLyingName(t *T) {
	for _, n := range []uint32{200, 255, 1 << 31} {
		body := authSys(1)
		binary.BigEndian.PutUint32(body[4:], n)
		t.unauthenticated(wire.AuthSys, body)
	}
}

func rpcLongCred(t *T) { t.unauthenticated(wire.AuthSys, append(authSys(16), make([]byte, 500)...)) }

func rpcFlavor(t *T) { t.unauthenticated(999, []byte("what")) }

func rpcGSSNoise(t *T) { t.unauthenticated(wire.RPCSecGSS, []byte("noise that is no credential....")) }
