package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// contend makes changes that are right only if nobody else makes any under the
// same lock:
//
//	guest contend KIND FILE WHO ROUNDS
//
// With fcntl and flock it appends entries to a log whose length is kept in its
// head. With ranges it moves numbers between the cells of a table, whose sum
// stays 0, under a lock from the one to the other, and sums them up under a read
// lock of all.
func contend(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: guest contend KIND FILE WHO ROUNDS")
	}
	f, err := os.OpenFile(args[1], os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	who, err := strconv.ParseUint(args[2], 10, 32)
	if err != nil {
		return err
	}
	rounds, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	c := contender{f, uint32(who), rand.New(random(who))}
	round := map[string]func(*contender, uint32) error{
		"fcntl":  func(c *contender, i uint32) error { return c.locked(unix.F_WRLCK, 0, 0, c.entry(i)) },
		"flock":  func(c *contender, i uint32) error { return c.flocked(c.entry(i)) },
		"ranges": func(c *contender, i uint32) error { return c.cells() },
	}[args[0]]
	if round == nil {
		return fmt.Errorf("%q: no such kind of lock", args[0])
	}
	for i := range uint32(rounds) {
		if err := round(&c, i); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
	}
	return f.Close()
}

// The log: a head, the number of entries, and entries, who and which.
const wordSize = 8

type contender struct {
	f    *os.File
	who  uint32
	dice *rand.Rand
}

// locked runs f under a lock of the process.
func (c *contender) locked(kind int16, from, n int64, f func() error) error {
	l := unix.Flock_t{Type: kind, Start: from, Len: n}
	if err := unix.FcntlFlock(c.f.Fd(), unix.F_SETLKW, &l); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	err := f()
	l = unix.Flock_t{Type: unix.F_UNLCK, Start: from, Len: n}
	return errors.Join(err, unix.FcntlFlock(c.f.Fd(), unix.F_SETLK, &l))
}

func (c *contender) flocked(f func() error) error {
	if err := unix.Flock(int(c.f.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return errors.Join(f(), unix.Flock(int(c.f.Fd()), unix.LOCK_UN))
}

// entry appends to the log.
func (c *contender) entry(i uint32) func() error {
	return func() error {
		n, err := c.word(0)
		if err != nil {
			return err
		}
		if err := c.setWord(1+n, int64(c.who)<<32|int64(i)); err != nil {
			return err
		}
		return c.setWord(0, n+1)
	}
}

const cells = 64

// cells moves 1 from a cell to another, and now and then sums up.
func (c *contender) cells() error {
	if c.dice.IntN(8) == 0 {
		return c.locked(unix.F_RDLCK, 0, cells*wordSize, c.sum)
	}
	i := c.dice.Int64N(cells - 1)
	j := i + 1 + c.dice.Int64N(cells-1-i)
	return c.locked(unix.F_WRLCK, i*wordSize, (j-i+1)*wordSize, func() error {
		return errors.Join(c.add(i, -1), c.add(j, 1))
	})
}

func (c *contender) sum() error {
	sum := int64(0)
	for i := range int64(cells) {
		v, err := c.word(i)
		if err != nil {
			return err
		}
		sum += v
	}
	if sum != 0 {
		return fmt.Errorf("the cells sum up to %d", sum)
	}
	return nil
}

func (c *contender) add(i, v int64) error {
	old, err := c.word(i)
	if err != nil {
		return err
	}
	return c.setWord(i, old+v)
}

// word reads a word of the file; behind its end there are zeros.
func (c *contender) word(i int64) (int64, error) {
	var b [wordSize]byte
	if _, err := c.f.ReadAt(b[:], i*wordSize); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint64(b[:])), nil
}

func (c *contender) setWord(i, v int64) error {
	_, err := c.f.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(v)), i*wordSize)
	return err
}
