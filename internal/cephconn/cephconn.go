//go:build ceph

// Package cephconn knows what the libraries of Ceph mean by their errors.
package cephconn

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/ceph/go-ceph/rados"
)

// Errno is what a library's error stands for.
func Errno(err error) syscall.Errno {
	var no syscall.Errno
	var code interface{ ErrorCode() int }
	switch {
	case errors.As(err, &no):
		return no
	case errors.As(err, &code):
		return syscall.Errno(max(code.ErrorCode(), -code.ErrorCode()))
	}
	return syscall.EIO
}

// Refused says why conn, which waited so long, did not come to be, and what to do.
func Refused(conn *rados.Conn, user string, waited time.Duration, err error) error {
	switch no := Errno(err); no {
	case syscall.ETIMEDOUT:
		mons, _ := conn.GetConfigOption("mon_host")
		return fmt.Errorf("no monitor of %s answered within %v: %w; check mon_host and the network", mons, waited, no)
	case syscall.EACCES, syscall.EPERM:
		return fmt.Errorf("the monitors refused the key of client.%s: %w; compare it with: ceph auth get client.%s", user, no, user)
	case syscall.ENOENT:
		ring, _ := conn.GetConfigOption("keyring")
		return fmt.Errorf("no key of client.%s in %s: %w; get it with: ceph auth get client.%s", user, ring, no, user)
	default:
		return fmt.Errorf("client.%s: %w", user, no)
	}
}
