//go:build ceph

// Package rados is a cluster.Pool in Ceph, and what else a cluster of gateways
// asks of one: to make the pool, and to shut a dead member out.
package rados

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"

	"github.com/tidegate/tidegate/internal/cephconn"
)

// Config says how to reach a Ceph.
type Config struct {
	Conf    string        // "" is Ceph's default
	User    string        // without "client."; "" is admin
	Timeout time.Duration // of each answer; 0 is ten seconds
}

func (c *Config) name() string { return "client." + c.User }

// Conn is a connection to a Ceph, safe for concurrent use.
type Conn struct {
	cfg  Config
	conn *rados.Conn
}

// Connect reaches Ceph, or says in one line what to do.
func Connect(cfg Config) (*Conn, error) {
	if cfg.User == "" {
		cfg.User = "admin"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	conn, err := rados.NewConnWithUser(cfg.User)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.name(), cephconn.Errno(err))
	}
	if cfg.Conf != "" {
		err = conn.ReadConfigFile(cfg.Conf)
	} else {
		err = conn.ReadDefaultConfigFile()
	}
	if err != nil {
		return nil, fmt.Errorf("Ceph's configuration %s cannot be read: %w; name another with --ceph-conf, or --cephconf of 'tidegate grace'",
			cmp.Or(cfg.Conf, os.Getenv("CEPH_CONF"), "/etc/ceph/ceph.conf"), cephconn.Errno(err))
	}
	seconds := strconv.Itoa(int(cfg.Timeout.Seconds() + 0.999))
	for _, option := range []string{"client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout"} {
		err = errors.Join(err, conn.SetConfigOption(option, seconds))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.name(), err)
	}
	if err := conn.Connect(); err != nil {
		return nil, cephconn.Refused(conn, cfg.User, cfg.Timeout, err)
	}
	return &Conn{cfg, conn}, nil
}

// Close ends the connection. Its pools have been closed.
func (c *Conn) Close() { c.conn.Shutdown() }

// MakePool makes a pool for gateways unless there is one of that name.
func (c *Conn) MakePool(name string) error {
	if _, err := c.conn.GetPoolByName(name); err == nil {
		return nil
	}
	if err := c.conn.MakePool(name); err != nil && cephconn.Errno(err) != syscall.EEXIST {
		return cephconn.Errno(err)
	}
	return c.ask(nil, map[string]any{"prefix": "osd pool application enable", "pool": name, "app": "nfs"})
}

// FSID is the name of the Ceph cluster that no other has.
func (c *Conn) FSID() (string, error) {
	id, err := c.conn.GetFSID()
	if err != nil {
		return "", cephconn.Errno(err)
	}
	return id, nil
}
