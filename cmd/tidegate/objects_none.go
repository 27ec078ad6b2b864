//go:build !ceph

package main

import (
	"context"
	"errors"

	"github.com/tidegate/tidegate/internal/config"
)

// objects are what a program without librados can read of RADOS: nothing.
type objects struct{}

var errNoRados = errors.New("this program was built without Ceph; build it with: make build-ceph")

func newObjects() *objects { return nil }

func (*objects) Close() {}

func (*objects) fetch(context.Context, config.Object, config.RadosURLs) ([]byte, error) {
	return nil, errNoRados
}

func (*objects) watch(context.Context, config.Object, config.RadosURLs, func()) error {
	return errNoRados
}
