package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// listen opens every listener, or none. Those that systemd opened are used instead.
func listen(addrs []string) (all []net.Listener, err error) {
	if all, err = inherited(); err != nil || len(all) > 0 {
		return all, err
	}
	for _, a := range addrs {
		l, err := net.Listen("tcp", a)
		if err != nil {
			closeAll(all)
			return nil, listenError(a, err)
		}
		all = append(all, l)
	}
	return all, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

func listenError(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: the port is taken; stop what uses it (ss -ltnp shows it) or give --listen another", addr)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE, or give --listen another", addr)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("listen on %s: not an address of an interface; a link-local one needs its interface behind it, as [fe80::1%%eth0]:2049", addr)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: no interface of this machine has that address; give --listen another", addr)
	}
	return fmt.Errorf("listen on %s: %w; write --listen ADDR:PORT", addr, err)
}
