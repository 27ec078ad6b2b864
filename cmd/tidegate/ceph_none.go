//go:build !ceph

package main

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/tidegate/tidegate/fsal"
)

func openCeph(x exportSpec, _ *settings, _ *zap.Logger) (fsal.FS, error) {
	return nil, fmt.Errorf("export %s: this program was built without CephFS; build it with: make build-ceph", x.pseudo)
}

func trim(context.Context) {}
