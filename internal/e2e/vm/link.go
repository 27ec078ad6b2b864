package vm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const maxLinks = 250

// link is a tap device between the host, 10.201.N.2, and one guest, 10.201.N.15.
// TCP that the guest sends to the host's end arrives at 127.0.0.1.
type link struct {
	name  string
	host  string
	guest string
}

// makeLink makes the first link that is free.
func makeLink() (link, error) {
	removeStaleLinks()
	for n := range maxLinks {
		l := link{
			name:  fmt.Sprintf("nfsvm%d", n),
			host:  fmt.Sprintf("10.201.%d.2", n),
			guest: fmt.Sprintf("10.201.%d.15", n),
		}
		if exec.Command("ip", "tuntap", "add", "dev", l.name, "mode", "tap").Run() != nil {
			continue
		}
		if err := l.up(); err != nil {
			l.remove()
			return link{}, err
		}
		return l, nil
	}
	return link{}, errors.New("no network link can be made")
}

func (l link) up() error {
	rules := fmt.Sprintf(`table ip nfsvm_%s {
  chain pre {
    type nat hook prerouting priority -100; policy accept;
    iifname "%[1]s" ip daddr %[2]s ip protocol tcp dnat to 127.0.0.1
  }
}
`, l.name, l.host)
	conf := "/proc/sys/net/ipv4/conf/" + l.name
	return errors.Join(
		run("", "ip", "link", "set", "dev", l.name, "alias", fmt.Sprintf("nfsvm:%d", os.Getpid())),
		run("", "ip", "addr", "add", l.host+"/24", "dev", l.name),
		run("", "ip", "link", "set", "dev", l.name, "up"),
		os.WriteFile(conf+"/route_localnet", []byte("1"), 0),
		run(rules, "nft", "-f", "-"),
	)
}

func (l link) remove() error {
	return errors.Join(
		run("", "nft", "delete", "table", "ip", "nfsvm_"+l.name),
		run("", "ip", "link", "del", l.name),
	)
}

// removeStaleLinks removes the links whose makers have died.
func removeStaleLinks() {
	aliases, _ := filepath.Glob("/sys/class/net/nfsvm*/ifalias")
	for _, path := range aliases {
		alias, _ := os.ReadFile(path)
		pid, ok := strings.CutPrefix(strings.TrimSpace(string(alias)), "nfsvm:")
		if !ok {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			// Another process may be at it too; whoever is second finds nothing.
			_ = link{name: filepath.Base(filepath.Dir(path))}.remove()
		}
	}
}

// run runs a host command with input on its standard input.
func run(input, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
