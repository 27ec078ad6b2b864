package mem_test

import (
	"testing"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/clustertest"
	"github.com/tidegate/tidegate/cluster/mem"
)

func TestPool(t *testing.T) {
	p := new(mem.Pool)
	clustertest.Run(t, func(*testing.T) cluster.Pool { return p })
}
