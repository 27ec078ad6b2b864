package suite

import (
	"fmt"
	"time"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

const (
	readDeleg  = wire.OpenDelegateRead
	writeDeleg = wire.OpenDelegateWrite
)

var delegTests = []Test{
	{"DELEG1", 0, "10.2", "a client without a back channel is granted none", delegNoBackChannel},
	{"DELEG2", 0, "10.4", "a client whose callback program does not answer is granted none", delegNoProgram},
	{"DELEG3", 0, "10.4", "a read delegation has a stateid of its own, and an entry of who may read", delegRead},
	{"DELEG4", 0, "10.4", "a write delegation has a stateid of its own, and a limit of space", delegWrite},
	{"DELEG5", 0, "18.16.3", "WANT_NO_DELEG and WANT_CANCEL are granted none, and told so", delegNotWanted},
	{"DELEG6", 0, "18.16.3", "WANT_READ_DELEG is granted no write delegation", delegWantRead},
	{"DELEG7", 0, "10.4", "two clients have read delegations of one file", delegTwoReaders},
	{"DELEG8", 0, "10.4", "a file that another client has open to write is not delegated", delegOpenToWrite},
	{"DELEG9", 0, "10.4", "a file that another client has open to read is not delegated to write", delegOpenToRead},
	{"DELEG10", 0, "18.16.3", "what an open denies is no reason to delegate less to its own client", delegOwnDeny},

	{"DELEG20", 0, "18.6.3", "DELEGRETURN ends it: the stateid is BAD_STATEID then", delegReturn},
	{"DELEG21", 0, "18.6.3", "DELEGRETURN of what is no delegation of the client and file is BAD_STATEID", delegReturnBad},
	{"DELEG22", 0, "9.1.2", "READ under a read delegation's stateid is done, WRITE is OPENMODE", delegReadIO},
	{"DELEG23", 0, "9.1.2", "READ, WRITE and SETATTR under a write delegation's stateid are done", delegWriteIO},
	{"DELEG24", 0, "10.4", "the open goes on after DELEGRETURN, the delegation after CLOSE", delegApart},
	{"DELEG25", 0, "18.16.3", "CLAIM_DELEG_CUR_FH and CLAIM_DELEGATE_CUR open by the delegation", delegClaims},
	{"DELEG26", 0, "18.16.3", "a claim of another's delegation, another file's or none is BAD_STATEID", delegBadClaims},
	{"DELEG27", 0, "8.2.4", "the stateid is not taken by CLOSE, OPEN_DOWNGRADE and LOCK", delegWrongOps},
	{"DELEG28", 0, "18.38.3", "FREE_STATEID is LOCKS_HELD, TEST_STATEID OK", delegTestFree},
	{"DELEG29", 0, "8.2.6", "SETATTR of a mode takes the stateid", delegSetattr},

	{"DELEG40", 0, "10.4.4", "OPEN to write by another client recalls a read delegation", recalled(readDeleg, delegOpen(writeShare, denyNone))},
	{"DELEG41", 0, "18.16.4", "OPEN that denies reading recalls a read delegation", recalled(readDeleg, delegOpen(readShare, denyRead))},
	{"DELEG42", 0, "18.16.4", "OPEN that truncates recalls a read delegation", recalled(readDeleg, delegTruncate)},
	{"DELEG43", 0, "10.4.4", "OPEN to read by another client recalls a write delegation", recalled(writeDeleg, delegOpen(readShare, denyNone))},
	{"DELEG44", 0, "10.4.4", "OPEN by file handle recalls a write delegation", recalled(writeDeleg, delegOpenFH)},
	{"DELEG45", 0, "18.30.4", "SETATTR of a mode recalls a read delegation", recalled(readDeleg, delegMode)},
	{"DELEG46", 0, "18.30.4", "SETATTR of a size recalls a write delegation", recalled(writeDeleg, delegSize)},
	{"DELEG47", 0, "10.4.4", "REMOVE recalls a read delegation", recalled(readDeleg, delegRemove)},
	{"DELEG48", 0, "10.4.4", "REMOVE recalls a write delegation", recalled(writeDeleg, delegRemove)},
	{"DELEG49", 0, "10.4.4", "RENAME of the file recalls a read delegation", recalled(readDeleg, delegRename)},
	{"DELEG50", 0, "10.4.4", "RENAME over the file recalls a read delegation", recalled(readDeleg, delegRenameOver)},
	{"DELEG51", 0, "18.9.4", "LINK recalls a read delegation", recalled(readDeleg, delegLink)},
	{"DELEG52", 0, "18.32.4", "WRITE with the anonymous stateid recalls a read delegation", recalled(readDeleg, delegAnonymousWrite)},
	{"DELEG53", 0, "18.22.4", "READ with the anonymous stateid recalls a write delegation", recalled(writeDeleg, delegAnonymousRead)},
	{"DELEG54", 0, "18.32.4", "WRITE with the bypass stateid recalls a write delegation", recalled(writeDeleg, delegBypassWrite)},
	{"DELEG55", Minor2, "RFC 7862, 15.1", "ALLOCATE with the anonymous stateid recalls a read delegation", recalled(readDeleg, delegAllocate)},
	{"DELEG56", Minor2, "RFC 7862, 15.4", "DEALLOCATE with the anonymous stateid recalls a read delegation", recalled(readDeleg, delegDeallocate)},
	{"DELEG57", Minor2, "RFC 7862, 15.2", "COPY to the file with the anonymous stateid recalls a read delegation", recalled(readDeleg, delegCopy)},
	{"DELEG58", Minor2, "RFC 8276, 8.4.2.4", "SETXATTR recalls a read delegation", recalled(readDeleg, delegXattr)},

	{"DELEG60", 0, "10.2", "another client's reading leaves a read delegation alone", delegReadersStay},
	{"DELEG61", 0, "10.4.1", "the holder's own requests recall nothing", delegOwnRequests},
	{"DELEG62", 0, "8.2.2", "CB_RECALL names the file and the delegation, with seqid 0", delegRecallArgs},
	{"DELEG63", 0, "20.9.3", "CB_SEQUENCE is of the session, on a slot that it has, in sequence", delegSequence},
	{"DELEG64", 0, "20.2.4", "a CB_RECALL that is answered DELAY is sent again", delegRecallAgain},
	{"DELEG65", 0, "10.4.4", "all holders of read delegations are recalled, and all must return", delegRecallAll},
	{"DELEG66", 0, "10.4.4", "a recalled client opens by its delegation before it returns it", delegClaimRecalled},
	{"DELEG67", 0, "10.2", "what waits for a delegation goes on when the holder rebooted", delegReboot},
	{"DELEG68", 0, "10.4.5", "a recall that finds no back channel is sent when one is bound", delegRebound},
	{"DELEG69", 0, "18.16.4", "a file is not delegated to those who wait for its delegation", delegNotWhileRecalled},
	{"DELEG70", 0, "10.4.4", "many delegations are recalled at once, each once", delegManyRecalls},

	{"DELEG80", 0, "10.4.3", "another's GETATTR tells the size and a later change of what the holder changed", delegGetattrModified},
	{"DELEG81", 0, "10.4.3", "the change that is told grows with each GETATTR", delegGetattrGrows},
	{"DELEG82", 0, "10.4.3", "another's GETATTR tells what the server has if the holder changed nothing", delegGetattrUnmodified},
	{"DELEG83", 0, "10.4.3", "another size counts as a change even if the holder's change is as it was", delegGetattrSize},
	{"DELEG84", 0, "10.4.3", "the holder's own GETATTR asks nobody", delegGetattrOwn},
	{"DELEG85", 0, "10.4.3", "a holder that does not answer CB_GETATTR is recalled", delegGetattrRefused},

	{"DELEG90", Waits, "10.4.5", "a delegation that is not returned for a lease is revoked, and the holder told", delegRevoked},
	{"DELEG91", Waits, "10.4.5", "a holder without a back channel is told, and revoked after a lease", delegPathDown},
	{"DELEG92", Waits, "10.2.1", "a delegation whose client is silent for a lease stands against nobody", delegExpired},

	{"DELEG100", 0, "18.39.3", "GET_DIR_DELEGATION is not an illegal operation", dirDelegation},
	{"DELEG101", 0, "18.5.3", "DELEGPURGE is OK or NOTSUPP, and so are the claims of earlier delegations", delegPurge},
	{"DELEG102", 0, "18.49.3", "WANT_DELEGATION is NOTSUPP or answered with a delegation or why there is none", wantDelegation},
}

// Delegation is a file that a client has open, with a delegation.
type Delegation struct {
	*File
	Holder *Listener
	Name   string
	ID     wire.Stateid
}

// wants are the bits that ask for a type of delegation.
var wants = map[wire.DelegationType]uint32{
	readDeleg:  readShare | wire.OpenShareAccessWantReadDeleg,
	writeDeleg: bothShares | wire.OpenShareAccessWantWriteDeleg,
}

// wanting returns arguments for OPEN that ask for a delegation.
func (s *Session) wanting(name string, kind wire.DelegationType) wire.OpenArgs {
	args := s.OpenArgs(name, readShare, denyNone)
	args.ShareAccess = wants[kind]
	return args
}

// grantLimit is how long a server may take to see that a client's back channel
// works.
const grantLimit = 2 * time.Second

// Delegated opens a new file of four bytes, and gets a delegation of it. It skips
// the test if the server grants none.
func (l *Listener) Delegated(kind wire.DelegationType) (d *Delegation) {
	t := l.t
	dir := t.Dir()
	n := 0
	granted := t.Until(grantLimit, func() bool {
		n++
		name := fmt.Sprintf("%x.%d", l.Client.ID, n)
		f := l.Create(dir, name)
		l.Write(f, 0, []byte("data"))
		l.Close(f)
		f = l.Open(dir, l.wanting(name, kind))
		d = &Delegation{File: f, Holder: l, Name: name, ID: f.Res.Delegation.Stateid}
		if f.Res.Delegation.Type == kind {
			return true
		}
		if f.Res.Delegation.Type == readDeleg || f.Res.Delegation.Type == writeDeleg {
			d.Return()
		}
		l.Close(f)
		return false
	})
	if !granted {
		t.Skip("the server grants no delegation of type %d", kind)
	}
	return d
}

// Return returns the delegation.
func (d *Delegation) Return() {
	d.Holder.Expect(wire.OK, at(d.FH), wire.DelegReturnArgs{DelegStateid: d.ID})
}

// file returns the file as it is used under the delegation.
func (d *Delegation) file() *File { return &File{FH: d.FH, Stateid: d.ID} }

// undelegated opens a few files, with a wish for a delegation, and fails the test
// if it is granted.
func (t *T) undelegated(s *Session) {
	for i := range 10 {
		for _, kind := range []wire.DelegationType{readDeleg, writeDeleg} {
			name := fmt.Sprintf("file%d.%d", i, kind)
			s.Close(s.Create(t.Dir(), name))
			f := s.Open(t.Dir(), s.wanting(name, kind))
			t.none(f.Res.Delegation)
			s.Close(f)
		}
		t.Outwait(30 * time.Millisecond)
	}
}

// none fails the test if there is a delegation.
func (t *T) none(d wire.OpenDelegation) {
	if d.Type != wire.OpenDelegateNone && d.Type != wire.OpenDelegateNoneExt {
		t.Fatalf("there is a delegation: %s", show(d))
	}
}

func delegNoBackChannel(t *T) {
	args := client.DefaultSession()
	args.Flags = 0
	t.undelegated(t.NewSession(SessionConfig{Session: &args}))
}

func delegNoProgram(t *T) {
	args := client.DefaultSession()
	args.CbProgram = 0x4fffffff
	t.undelegated(t.NewSession(SessionConfig{Session: &args}))
}

func delegRead(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(readDeleg)
	switch g := d.Res.Delegation; {
	case d.ID.Other == d.Stateid.Other || special(d.ID):
		t.Fatalf("the delegation's stateid is %v, the open's %v", d.ID, d.Stateid)
	case g.Recall:
		t.Fatalf("the delegation is recalled at once")
	}
}

func delegWrite(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	g := d.Res.Delegation
	if d.ID.Other == d.Stateid.Other || special(d.ID) {
		t.Fatalf("the delegation's stateid is %v, the open's %v", d.ID, d.Stateid)
	}
	if by := g.SpaceLimit.LimitBy; by != wire.LimitSize && by != wire.LimitBlocks {
		t.Fatalf("the limit of space is %s", show(g.SpaceLimit))
	}
}

func delegNotWanted(t *T) {
	l := t.NewListener(ListenerConfig{})
	l.Delegated(readDeleg)
	for want, why := range map[uint32]wire.WhyNoDelegation{
		wire.OpenShareAccessWantNoDeleg: wire.WNDNotWanted, wire.OpenShareAccessWantCancel: wire.WNDCancelled,
	} {
		args := l.CreateArgs(fmt.Sprint("file", want))
		args.ShareAccess = readShare | want
		g := l.Open(t.Dir(), args).Res.Delegation
		t.none(g)
		if g.Type == wire.OpenDelegateNoneExt && g.WhyNone.Why != why {
			t.Fatalf("for want %#x ond_why is %d, expected %d", want, g.WhyNone.Why, why)
		}
	}
}

func delegWantRead(t *T) {
	l := t.NewListener(ListenerConfig{})
	l.Delegated(writeDeleg)
	args := l.CreateArgs("file")
	args.ShareAccess = bothShares | wire.OpenShareAccessWantReadDeleg
	if g := l.Open(t.Dir(), args).Res.Delegation; g.Type == writeDeleg {
		t.Fatalf("there is a delegation: %s", show(g))
	}
}

func delegTwoReaders(t *T) {
	one, two := t.NewListener(ListenerConfig{}), t.NewListener(ListenerConfig{})
	two.Delegated(readDeleg).Return()
	d := one.Delegated(readDeleg)
	g := two.Open(t.Dir(), two.wanting(d.Name, readDeleg))
	if g.Res.Delegation.Type != readDeleg {
		t.Skip("the server grants one delegation of a file")
	}
	one.Read(d.file(), 0, 1)
	two.Read(&File{FH: g.FH, Stateid: g.Res.Delegation.Stateid}, 0, 1)
	if n := one.Recalls() + two.Recalls(); n > 0 {
		t.Fatalf("%d recalls", n)
	}
}

// contended has another client open a file, and fails the test if it is delegated.
func (t *T) contended(kind wire.DelegationType, access uint32) {
	l := t.NewListener(ListenerConfig{})
	l.Delegated(kind)
	t.Present("file")
	t.Session().Open(t.Dir(), t.Session().OpenArgs("file", access, denyNone))
	t.none(l.Open(t.Dir(), l.wanting("file", kind)).Res.Delegation)
}

func delegOpenToWrite(t *T) { t.contended(readDeleg, bothShares) }
func delegOpenToRead(t *T)  { t.contended(writeDeleg, readShare) }

func delegOwnDeny(t *T) {
	l := t.NewListener(ListenerConfig{})
	l.Delegated(writeDeleg)
	args := l.CreateArgs("file")
	args.ShareAccess, args.ShareDeny = wants[writeDeleg], denyBoth
	f := l.Open(t.Dir(), args)
	l.Write(f, 0, []byte("data"))
	t.Expect(wire.ErrLocked, at(f.FH), wire.ReadArgs{Count: 1})
}

func delegReturn(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	d.Return()
	l := d.Holder
	l.Expect(wire.ErrBadStateid, at(d.FH), wire.DelegReturnArgs{DelegStateid: d.ID})
	l.Expect(wire.ErrBadStateid, at(d.FH), wire.ReadArgs{Stateid: d.ID, Count: 1})
	l.tests(wire.ErrBadStateid, d.ID)
	t.Session().Open(t.Dir(), t.Session().OpenArgs(d.Name, bothShares, denyNone))
	if n := l.Recalls(); n != 0 {
		t.Fatalf("%d recalls of what was returned", n)
	}
}

func delegReturnBad(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(readDeleg)
	other := d.Holder.Create(t.Dir(), "other")
	bad := func(s *Session, fh wire.FH, id wire.Stateid) {
		s.Expect(wire.ErrBadStateid, at(fh), wire.DelegReturnArgs{DelegStateid: id})
	}
	bad(d.Holder.Session, other.FH, d.ID)
	bad(d.Holder.Session, d.FH, d.Stateid)
	bad(d.Holder.Session, d.FH, later(d.ID, 1))
	bad(t.Session(), d.FH, d.ID)
	for _, id := range specialStateids {
		bad(d.Holder.Session, d.FH, id)
	}
	d.Return()
}

func delegReadIO(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(readDeleg)
	if got := d.Holder.Read(d.file(), 0, 10); string(got.Data) != "data" {
		t.Fatalf("read %q", got.Data)
	}
	d.Holder.Expect(wire.ErrOpenMode, at(d.FH), wire.WriteArgs{Stateid: d.ID, Data: []byte("x")})
	d.Holder.Expect(wire.ErrOpenMode, at(d.FH), sizeArgs(d.ID, 1))
}

func delegWriteIO(t *T) {
	d := t.NewListener(ListenerConfig{}).Delegated(writeDeleg)
	d.Holder.Write(d.file(), 4, []byte("more"))
	if got := d.Holder.Read(d.file(), 0, 10); string(got.Data) != "datamore" {
		t.Fatalf("read %q", got.Data)
	}
	d.Holder.Expect(wire.OK, at(d.FH), sizeArgs(d.ID, 2))
}

func delegApart(t *T) {
	l := t.NewListener(ListenerConfig{})
	d := l.Delegated(writeDeleg)
	d.Return()
	l.Write(d.File, 0, []byte("more"))
	d = l.Delegated(writeDeleg)
	l.Close(d.File)
	l.Write(d.file(), 0, []byte("more"))
	d.Return()
}
