//go:build ceph

package main

import (
	"syscall"

	"github.com/tidegate/tidegate/cluster/rados"
)

// dialPool reaches a pool, and with add makes it if need be.
func dialPool(at place, add bool) (*pool, error) {
	conn, err := rados.Connect(rados.Config{Conf: at.conf, User: at.user})
	if err != nil {
		return nil, unreached{err}
	}
	p, err := openNamespace(conn, at, add)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return p, nil
}

func openNamespace(conn *rados.Conn, at place, add bool) (*pool, error) {
	if add {
		if err := conn.MakePool(at.pool); err != nil {
			return nil, err
		}
	}
	fsid, err := conn.FSID()
	if err != nil {
		return nil, err
	}
	p, err := conn.Pool(at.pool, at.namespace)
	if err == syscall.ENOENT {
		return nil, errNoPool
	}
	if err != nil {
		return nil, err
	}
	return &pool{Pool: p, fsid: fsid, evict: conn.Evict, close: func() { p.Close(); conn.Close() }}, nil
}
