//go:build ceph

package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/tidegate/tidegate/fsal"
	"github.com/tidegate/tidegate/fsal/ceph"
)

// openCeph opens the default CephFS.
func openCeph(conf, user string) (fsal.FS, error) {
	runtime.GOMAXPROCS(max(16, runtime.GOMAXPROCS(0))) // calls into it block
	return ceph.Open(ceph.Config{
		Conf: conf, User: user, Identity: ceph.Identity(fmt.Sprintf("nfsbench-%d", os.Getpid()), 1),
	})
}
