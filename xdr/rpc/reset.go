package rpc

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// settleStep is how often a connection is asked whether its peer has everything.
const settleStep = time.Millisecond

// settle waits shortly until the peer has acknowledged all that was sent: a reset
// takes back the rest.
func settle(tcp *net.TCPConn) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	step := time.NewTicker(settleStep)
	defer step.Stop()
	for end := time.Now().Add(lingerTime); time.Now().Before(end); <-step.C {
		left := 0
		raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		if left == 0 || err != nil {
			return
		}
	}
}
