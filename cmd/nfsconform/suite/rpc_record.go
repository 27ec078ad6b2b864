package suite

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

func rpcTinyFragments(t *T) {
	var all []byte
	call := nullCall().encode(xid)
	for i := range call {
		all = append(all, fragment(call[i:i+1], i == len(call)-1)...)
	}
	p := t.pipe()
	p.send(all)
	_, err := p.answer(xid)
	t.Check("the reply", err)
}

func rpcEmptyFragments(t *T) {
	call := nullCall().encode(xid)
	empty := fragment(nil, false)
	p := t.pipe()
	p.send(slices.Concat(empty, empty, fragment(call[:8], false), empty, fragment(call[8:], true)))
	if _, err := p.answer(xid); err != nil && !closed(err) {
		t.Fatalf("the reply: %v", err)
	}
	t.alive()
}

func rpcHugeFragment(t *T) {
	for _, mark := range []uint32{1<<31 - 1, 1<<32 - 1} {
		p := t.pipe()
		p.send(append(binary.BigEndian.AppendUint32(nil, mark), make([]byte, 64<<10)...))
		t.alive()
	}
}

func rpcTwoCalls(t *T) {
	p := t.pipe()
	p.send(append(fragment(nullCall().encode(1), true), fragment(nullCall().encode(2), true)...))
	t.xids(p, 2)
}

// xids fails the test unless the calls 1 to n are answered, in whatever order.
func (t *T) xids(p pipe, n uint32) {
	seen := make(map[uint32]bool)
	for range n {
		record, err := p.record()
		t.Check("the reply", err)
		if len(record) < 24 {
			t.Fatalf("a reply of %d bytes", len(record))
		}
		xid := binary.BigEndian.Uint32(record)
		if xid < 1 || xid > n || seen[xid] {
			t.Fatalf("a reply to call %#x, of calls 1 to %d", xid, n)
		}
		seen[xid] = true
	}
}

func rpcPipeline(t *T) {
	var all []byte
	for i := range uint32(100) {
		all = append(all, fragment(nullCall().encode(i+1), true)...)
	}
	p := t.pipe()
	p.send(all)
	t.xids(p, 100)
}

func rpcStrayReply(t *T) {
	reply := nullCall().encode(xid)
	binary.BigEndian.PutUint32(reply[4:], 1)
	t.pipe().send(fragment(reply, true))
	t.alive()
}

func rpcCutHeader(t *T) {
	call := nullCall().encode(xid)
	for n := range call {
		t.pipe().send(fragment(call[:n], true))
	}
	t.alive()
}

func rpcSlow(t *T) {
	p := t.pipe()
	for _, b := range fragment(nullCall().encode(xid), true) {
		p.Write([]byte{b})
	}
	_, err := p.answer(xid)
	t.Check("the reply", err)
	p.answered()
}

func rpcEmptyRecord(t *T) {
	t.pipe().send(fragment(nil, true))
	t.alive()
}

func rpcIdle(t *T) {
	for range 200 {
		t.pipe()
	}
	t.alive()
}

func rpcNoise(t *T) {
	noise := rand.NewChaCha8([32]byte{2})
	for n := 4; n <= 4096; n *= 2 {
		b := make([]byte, n)
		noise.Read(b)
		t.pipe().send(fragment(b, true))
		call := nullCall()
		call.procedure = 1
		t.pipe().send(fragment(call.encode(xid, b...), true))
	}
	t.alive()
}
