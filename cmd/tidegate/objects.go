//go:build ceph

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"github.com/ceph/go-ceph/rados"

	"github.com/tidegate/tidegate/internal/cephconn"
	"github.com/tidegate/tidegate/internal/config"
)

// objects reads configuration from RADOS. Its one connection is kept for the next
// object, since a configuration has hundreds.
type objects struct {
	mu     sync.Mutex
	conn   *rados.Conn      // Guarded by mu. nil: none
	with   config.RadosURLs // Guarded by mu. What conn was made by, or last could not be.
	failed error            // Guarded by mu. Why there is no conn.
	since  time.Time        // Guarded by mu. Of failed.
}

// rest is how long a cluster that did not answer is not asked again: the next
// object of the same configuration would take as long.
const rest = 5 * time.Second

func newObjects() *objects { return new(objects) }

// Close ends the connection.
func (b *objects) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropLocked()
}

func (b *objects) dropLocked() {
	if b.conn != nil {
		b.conn.Shutdown()
		b.conn = nil
	}
}

// fetch reads an object: fs.ErrNotExist if there is none.
func (b *objects) fetch(ctx context.Context, o config.Object, with config.RadosURLs) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	with.WatchURL = ""
	if err := b.dialLocked(with); err != nil {
		return nil, err
	}
	text, err := readObject(b.conn, o)
	var code interface{ ErrorCode() int }
	switch {
	case errors.Is(err, rados.ErrNotFound):
		return nil, fs.ErrNotExist
	case errors.As(err, &code):
		b.dropLocked() // it may have been fenced
		b.failed, b.since = err, time.Now()
	}
	return text, err
}

// dialLocked sees to it that there is a connection made by with.
func (b *objects) dialLocked(with config.RadosURLs) (err error) {
	switch {
	case b.with != with:
		b.dropLocked()
	case b.conn != nil:
		return nil
	case b.failed != nil && time.Since(b.since) < rest:
		return b.failed
	}
	b.conn, err = dialRados(with)
	b.with, b.failed, b.since = with, err, time.Now()
	return err
}

// readObject reads an object in one step, however others change it.
func readObject(conn *rados.Conn, o config.Object) ([]byte, error) {
	io, err := openPool(conn, o)
	if err != nil {
		return nil, err
	}
	defer io.Destroy()
	for size := firstRead; ; size *= 2 {
		text := make([]byte, size)
		n, err := io.Read(o.Name, text, 0)
		switch {
		case err != nil:
			return nil, err
		case n > config.MaxSource:
			return nil, fmt.Errorf("it is larger than %d MiB", config.MaxSource>>20)
		case n < size: // all of it
			return text[:n], nil
		}
	}
}

// firstRead is more than most objects have.
const firstRead = 64 << 10

func openPool(conn *rados.Conn, o config.Object) (*rados.IOContext, error) {
	if o.Pool == "" {
		return nil, errors.New("its URL names no pool; write rados://pool/namespace/object")
	}
	io, err := conn.OpenIOContext(o.Pool)
	if errors.Is(err, rados.ErrNotFound) {
		return nil, fmt.Errorf("there is no pool %s", o.Pool)
	}
	if err != nil {
		return nil, fmt.Errorf("pool %s: %w", o.Pool, err)
	}
	io.SetNamespace(o.Namespace)
	return io, nil
}

// watch acknowledges the notifications of an object and calls changed for each,
// and once when it begins, until ctx ends or the watch breaks.
func (b *objects) watch(ctx context.Context, o config.Object, with config.RadosURLs, changed func()) error {
	conn, err := dialRados(with)
	if err != nil {
		return err
	}
	defer conn.Shutdown()
	io, err := openPool(conn, o)
	if err != nil {
		return err
	}
	defer io.Destroy()
	w, err := io.Watch(o.Name)
	if err != nil {
		return err
	}
	defer w.Delete()
	changed()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.Errors():
			return err
		case e := <-w.Events():
			if err := e.Ack(nil); err != nil {
				return err
			}
			changed()
		}
	}
}

// radosPatience is how long a cluster has to answer.
const radosPatience = 10 * time.Second

func dialRados(with config.RadosURLs) (*rados.Conn, error) {
	user := with.UserID
	if user == "" {
		user = "admin"
	}
	conn, err := rados.NewConnWithUser(user)
	if err != nil {
		return nil, err
	}
	if with.CephConf != "" {
		err = conn.ReadConfigFile(with.CephConf)
	} else {
		err = conn.ReadDefaultConfigFile()
	}
	if err != nil {
		return nil, fmt.Errorf("the configuration %s of Ceph cannot be read; set ceph_conf in RADOS_URLS: %w", with.CephConf, err)
	}
	for _, name := range []string{"client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout"} {
		if err := conn.SetConfigOption(name, strconv.Itoa(int(radosPatience.Seconds()))); err != nil {
			return nil, err
		}
	}
	if err := conn.Connect(); err != nil {
		return nil, cephconn.Refused(conn, user, radosPatience, err)
	}
	return conn, nil
}
