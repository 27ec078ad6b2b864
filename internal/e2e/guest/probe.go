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
// synced, and reads back with each a record that was written before, from the
// server. Beside that it may take and give back locks. That the process holds a
// lock is what keeps the kernel from writing if that lock is lost.
type probe struct {
	f *os.File
	// direct is f's file read from the server. It lasts as long as the process,
	// whose locks would end with it.
	direct *os.File
	stop   chan struct{}
	all    sync.WaitGroup

	mu     sync.Mutex
	report probeReport // Guarded by mu.
}

// probeReport is what came of it.
type probeReport struct {
	Writes, Locks beats
	Failure       string
}

// beats are what was done again and again.
type beats struct {
	Count   int
	Longest time.Duration // between the ends of two, since the last report
}

func newProbe(f *os.File) *probe { return &probe{f: f, stop: make(chan struct{})} }

// startProbe [locks] goes on until endProbe.
func (p *Puppet) startProbe(a moveArgs) (string, error) {
	b := p.probe
	var err error
	if b.direct, err = os.OpenFile(p.f.Name(), os.O_RDONLY|unix.O_DIRECT, 0); err != nil {
		return "", err
	}
	b.all.Go(func() { b.beat(&b.report.Writes, b.write) })
	if a.text(0) == "locks" {
		b.all.Go(func() { b.beat(&b.report.Locks, b.lock) })
	}
	return "ok", nil
}

// endProbe reads everything once more and reports.
func (p *Puppet) endProbe(moveArgs) (string, error) {
	close(p.probe.stop)
	p.probe.all.Wait()
	r := p.probe.report
	for i := 0; i < r.Writes.Count && r.Failure == ""; i++ {
		if err := p.probe.readBack(p.f, make([]byte, probeRecord), i); err != nil {
			r.Failure = err.Error()
		}
	}
	out, err := json.Marshal(r)
	return string(out), err
}

// probing reports so far, and measures pauses anew.
func (p *Puppet) probing(moveArgs) (string, error) {
	b := p.probe
	b.mu.Lock()
	defer b.mu.Unlock()
	out, err := json.Marshal(b.report)
	b.report.Writes.Longest, b.report.Locks.Longest = 0, 0
	return string(out), err
}

// beat does f ten times a second, until it fails or is stopped.
func (p *probe) beat(b *beats, f func(i int) error) {
	tick := time.NewTicker(probePause)
	defer tick.Stop()
	last := time.Now()
	for i := 0; ; i++ {
		err := f(i)
		now := time.Now()
		p.mu.Lock()
		b.Longest = max(b.Longest, now.Sub(last))
		if err == nil {
			b.Count++
		} else if p.report.Failure == "" {
			p.report.Failure = fmt.Sprintf("round %d: %v", i, err)
		}
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

func (p *probe) write(i int) error {
	if _, err := p.f.WriteAt(randomBytes(uint64(i), probeRecord), int64(i)*probeRecord); err != nil {
		return err
	}
	if err := p.f.Sync(); err != nil {
		return err
	}
	return p.readBack(p.direct, aligned(probeRecord), rand.IntN(i+1))
}

// readBack reads a record into buf and wants it to be what was written.
func (p *probe) readBack(f *os.File, buf []byte, i int) error {
	if _, err := f.ReadAt(buf, int64(i)*probeRecord); err != nil {
		return err
	}
	if !bytes.Equal(buf, randomBytes(uint64(i), probeRecord)) {
		return fmt.Errorf("record %d is not what was written", i)
	}
	return nil
}

// lock takes a lock that nobody else wants and gives it back.
func (p *probe) lock(i int) error {
	for _, kind := range []int16{unix.F_WRLCK, unix.F_UNLCK} {
		l := unix.Flock_t{Type: kind, Start: probeLocks + int64(i), Len: 1}
		if err := unix.FcntlFlock(p.f.Fd(), unix.F_SETLK, &l); err != nil {
			return fmt.Errorf("lock: %w", err)
		}
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
