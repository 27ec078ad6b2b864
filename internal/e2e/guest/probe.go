package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	probePause  = 100 * time.Millisecond
	probeRecord = 4096
	probeLocks  = 1 << 40 // where the locks are that each round takes; records are below
)

// probe writes a file as a database writes its log: ten records a second, each
// synced. Each round also reads back a record that was written before, from the
// server, and takes and gives back a lock. That the process holds a lock is what
// keeps the kernel from writing if that lock is lost.
type probe struct {
	f    *os.File
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	record probeReport // Guarded by mu.
}

// probeReport is what came of it.
type probeReport struct {
	Records int
	Longest time.Duration // between the ends of two rounds
	Failure string
}

func newProbe(f *os.File) *probe {
	return &probe{f: f, stop: make(chan struct{}), done: make(chan struct{})}
}

// startProbe goes on until endProbe.
func (p *Puppet) startProbe(moveArgs) (string, error) {
	direct, err := os.OpenFile(p.f.Name(), os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return "", err
	}
	go p.probe.run(direct) // and never closed: that would end the process's locks
	return "ok", nil
}

// endProbe reads everything once more and reports.
func (p *Puppet) endProbe(moveArgs) (string, error) {
	close(p.probe.stop)
	<-p.probe.done
	p.probe.mu.Lock()
	defer p.probe.mu.Unlock()
	r := p.probe.record
	for i := 0; i < r.Records && r.Failure == ""; i++ {
		got := make([]byte, probeRecord)
		if _, err := p.f.ReadAt(got, int64(i)*probeRecord); err != nil {
			r.Failure = err.Error()
		} else if !bytes.Equal(got, randomBytes(uint64(i), probeRecord)) {
			r.Failure = fmt.Sprintf("record %d of %d is not what was written", i, r.Records)
		}
	}
	out, err := json.Marshal(r)
	return string(out), err
}

// count returns how many records were written.
func (p *Puppet) count(moveArgs) (string, error) {
	p.probe.mu.Lock()
	defer p.probe.mu.Unlock()
	if f := p.probe.record.Failure; f != "" {
		return "", errors.New(f)
	}
	return strconv.Itoa(p.probe.record.Records), nil
}

func (p *probe) run(direct *os.File) {
	defer close(p.done)
	tick := time.NewTicker(probePause)
	defer tick.Stop()
	last := time.Now()
	for i := 0; ; i++ {
		err := p.round(direct, i)
		now := time.Now()
		p.mu.Lock()
		if err != nil {
			p.record.Failure = fmt.Sprintf("round %d: %v", i, err)
		} else {
			p.record.Records++
		}
		p.record.Longest = max(p.record.Longest, now.Sub(last))
		p.mu.Unlock()
		if err != nil {
			return
		}
		last = now
		select {
		case <-tick.C:
		case <-p.stop:
			return
		}
	}
}

func (p *probe) round(direct *os.File, i int) error {
	if _, err := p.f.WriteAt(randomBytes(uint64(i), probeRecord), int64(i)*probeRecord); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := p.f.Sync(); err != nil {
		return fmt.Errorf("fsync: %w", err)
	}
	if err := p.readBack(direct, rand.IntN(i+1)); err != nil {
		return err
	}
	for _, kind := range []int16{unix.F_WRLCK, unix.F_UNLCK} {
		l := unix.Flock_t{Type: kind, Start: probeLocks + int64(i), Len: 1}
		if err := unix.FcntlFlock(p.f.Fd(), unix.F_SETLK, &l); err != nil {
			return fmt.Errorf("lock: %w", err)
		}
	}
	return nil
}

func (p *probe) readBack(direct *os.File, i int) error {
	got := aligned(probeRecord)
	if _, err := direct.ReadAt(got, int64(i)*probeRecord); err != nil {
		return fmt.Errorf("read record %d: %w", i, err)
	}
	if !bytes.Equal(got, randomBytes(uint64(i), probeRecord)) {
		return fmt.Errorf("record %d is not what was written", i)
	}
	return nil
}

// aligned returns n bytes that direct I/O takes.
func aligned(n int) []byte {
	b := make([]byte, 2*n)
	skip := (n - int(uintptr(unsafe.Pointer(&b[0]))%uintptr(n))) % n
	return b[skip : skip+n]
}

// nag asks again and again for a lock that it must not get.
type nag struct {
	f    *os.File
	stop chan struct{}
	said chan string // receives what came of it
}

func newNag(f *os.File) *nag {
	return &nag{f: f, stop: make(chan struct{}), said: make(chan string, 1)}
}

// startNag KIND FROM LEN goes on until endNag, or until the lock is granted.
func (p *Puppet) startNag(a moveArgs) (string, error) {
	go func() { p.nag.said <- p.nag.run(a) }()
	return "ok", nil
}

// endNag: how often the lock was refused.
func (p *Puppet) endNag(moveArgs) (string, error) {
	close(p.nag.stop)
	return <-p.nag.said, nil
}

func (n *nag) run(a moveArgs) string {
	tick := time.NewTicker(probePause / 2)
	defer tick.Stop()
	for refused := 0; ; {
		l := unix.Flock_t{Type: lockKinds[a.text(0)], Start: a.number(1), Len: a.number(2)}
		err := unix.FcntlFlock(n.f.Fd(), unix.F_SETLK, &l)
		switch {
		case err == nil:
			return fmt.Sprintf("granted after %d refusals", refused)
		case errors.Is(err, unix.EAGAIN):
			refused++
		default:
			return err.Error()
		}
		select {
		case <-tick.C:
		case <-n.stop:
			return strconv.Itoa(refused)
		}
	}
}
