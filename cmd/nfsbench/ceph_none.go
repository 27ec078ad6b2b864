//go:build !ceph && linux

package main

import (
	"errors"

	"github.com/tidegate/tidegate/fsal"
)

func openCeph(string, string) (fsal.FS, error) {
	return nil, errors.New("--ceph: this nfsbench was built without Ceph; build it with -tags ceph")
}
