package rpc

import (
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// Program is one row of the table of programs that a connection serves. A
// program number may have several rows, of disjoint versions.
type Program struct {
	Number    uint32
	Low, High uint32 // the versions served, both included

	// Dispatch runs one call to its end. It appends the results to Call.Out and
	// returns Success, or returns another Status and what it appended is dropped.
	// It must not wait for a Call on the same connection, whose workers may all
	// be waiting likewise.
	Dispatch func(*Call) Status
}

// Config sets up a Server or a client's Conn. Zero fields take the defaults.
type Config struct {
	Programs []Program
	Logger   *zap.Logger // default: none

	MaxRecord   int // bytes in a received record; default 1 MiB + 64 KiB
	MaxInFlight int // calls that run at a time on one connection; default 64
	MaxConns    int // connections of a Server; default 8192

	// FirstTimeout bounds the time from a connection's start to its first call,
	// on a Server only; default 60 s.
	FirstTimeout time.Duration
	// ReadTimeout bounds the time from a record's first byte to its last;
	// default 60 s.
	ReadTimeout time.Duration
	// WriteTimeout bounds the time one write takes, and so how long a peer that
	// does not read keeps its calls' buffers; default 60 s.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection keeps its spare workers; default 15 s.
	IdleTimeout time.Duration

	// Proxies are the hosts whose connections to a Server, and theirs alone, begin
	// with a PROXY protocol header, version 2, which names the peer.
	Proxies []netip.Prefix
	// Reset makes Shutdown end connections by a reset once the peer has its
	// replies, so that this host keeps nothing of them and may give its address away.
	Reset bool

	// OnClose is called once for each connection, when no call of it runs or will
	// run any more and before Conn.Done is closed.
	OnClose func(*Conn)
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&c.MaxRecord, 1<<20 + 64<<10},
		{&c.MaxInFlight, 64},
		{&c.MaxConns, 8192},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.FirstTimeout, 60 * time.Second},
		{&c.ReadTimeout, 60 * time.Second},
		{&c.WriteTimeout, 60 * time.Second},
		{&c.IdleTimeout, 15 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return c
}
