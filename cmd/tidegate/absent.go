package main

import (
	"syscall"

	"github.com/tidegate/tidegate/fsal"
)

// absent is a file system that is not there yet: its clients are to come again.
type absent struct{}

func (absent) Root(*fsal.Req) (fsal.Node, error)              { return nil, syscall.EAGAIN }
func (absent) Resolve(*fsal.Req, fsal.Key) (fsal.Node, error) { return nil, syscall.EAGAIN }
func (absent) Statfs(*fsal.Req) (fsal.Statfs, error)          { return fsal.Statfs{}, syscall.EAGAIN }
func (absent) WriteVerifier() uint64                          { return 0 }
func (absent) Limits() fsal.Limits                            { return fsal.Limits{} }
func (absent) Watch(fsal.Upcalls)                             {}
func (absent) Close() error                                   { return nil }
