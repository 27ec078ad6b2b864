//go:build ceph

package rados

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/ceph/go-ceph/cephfs"

	"github.com/tidegate/tidegate/internal/cephconn"
)

// session is a client of CephFS as an MDS tells of it.
type session struct {
	ID     int64 `json:"id"`
	Entity struct {
		Addr struct {
			Addr  string `json:"addr"`
			Nonce uint64 `json:"nonce"`
		} `json:"addr"`
	} `json:"entity"`
	Metadata struct {
		UUID string `json:"uuid"`
	} `json:"client_metadata"`
}

func (s *session) addr() string {
	return fmt.Sprintf("%s/%d", s.Entity.Addr.Addr, s.Entity.Addr.Nonce)
}

// Evict ends the sessions in all file systems whose uuids are of a kind, and
// reports how many. When it returns nil no OSD takes anything from their clients
// any more.
func (c *Conn) Evict(ctx context.Context, of func(uuid string) bool) (n int, err error) {
	ranks, err := c.ranks()
	if err != nil || len(ranks) == 0 {
		return 0, err
	}
	mount, err := cephfs.CreateFromRados(c.conn)
	if err != nil {
		return 0, cephconn.Errno(err)
	}
	defer mount.Release()
	if err := mount.Init(); err != nil {
		return 0, cephconn.Errno(err)
	}
	var addrs []string
	for _, rank := range ranks {
		var all []session
		if err := c.tell(mount, rank, &all, "session ls"); err != nil {
			return n, err
		}
		for _, s := range all {
			if !of(s.Metadata.UUID) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return n, err
			}
			if err := c.tell(mount, rank, nil, "client evict", fmt.Sprint("id=", s.ID)); err != nil {
				return n, err
			}
			if addr := s.addr(); !slices.Contains(addrs, addr) {
				addrs = append(addrs, addr)
			}
			n++
		}
	}
	return n, c.blocklist(addrs)
}

// ranks are the active MDS daemons of all file systems.
func (c *Conn) ranks() (ranks []string, err error) {
	var dump struct {
		Filesystems []struct {
			MDSMap struct {
				Name string           `json:"fs_name"`
				Up   map[string]int64 `json:"up"`
			} `json:"mdsmap"`
		} `json:"filesystems"`
	}
	if err := c.ask(&dump, map[string]any{"prefix": "fs dump"}); err != nil {
		return nil, err
	}
	for _, f := range dump.Filesystems {
		for up := range f.MDSMap.Up {
			ranks = append(ranks, f.MDSMap.Name+":"+strings.TrimPrefix(up, "mds_"))
		}
	}
	slices.Sort(ranks)
	return ranks, nil
}

// blocklist adds what the MDS daemons have not: they can be told not to.
func (c *Conn) blocklist(addrs []string) error {
	var listed []struct {
		Addr string `json:"addr"`
	}
	if len(addrs) == 0 {
		return nil
	}
	if err := c.ask(&listed, map[string]any{"prefix": "osd blocklist ls"}); err != nil {
		return err
	}
	for _, l := range listed {
		addrs = slices.DeleteFunc(addrs, func(a string) bool { return a == l.Addr })
	}
	for _, addr := range addrs {
		if err := c.ask(nil, map[string]any{"prefix": "osd blocklist", "blocklistop": "add", "addr": addr}); err != nil {
			return err
		}
	}
	return nil
}

// tell gives an MDS daemon a command.
func (c *Conn) tell(mount *cephfs.MountInfo, rank string, answer any, prefix string, filters ...string) error {
	args := map[string]any{"prefix": prefix}
	if filters != nil {
		args["filters"] = filters
	}
	out, status, err := mount.MdsCommand(rank, [][]byte{command(args)})
	return c.answered(rank, prefix, out, status, answer, err)
}

// ask gives the monitors a command.
func (c *Conn) ask(answer any, args map[string]any) error {
	out, status, err := c.conn.MonCommand(command(args))
	return c.answered("the monitors", args["prefix"], out, status, answer, err)
}

func command(args map[string]any) []byte {
	args["format"] = "json"
	text, _ := json.Marshal(args) // of strings
	return text
}

func (c *Conn) answered(who string, what any, out []byte, status string, answer any, err error) error {
	if err != nil {
		switch no := cephconn.Errno(err); no {
		case syscall.EACCES, syscall.EPERM:
			return fmt.Errorf("%s may not ask %s for %q: %w; it needs the capabilities mds 'allow *' and mon 'allow rw' (ceph auth caps)",
				c.cfg.name(), who, what, no)
		default:
			return fmt.Errorf("%s, asked for %q: %w %s", who, what, no, status)
		}
	}
	if answer == nil {
		return nil
	}
	// The monitors of Ceph 16 put an empty list behind the blocklist.
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(answer); err != nil {
		return fmt.Errorf("%s, asked for %q: %w", who, what, err)
	}
	return nil
}
