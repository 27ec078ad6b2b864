//go:build ceph

package ceph

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ceph/go-ceph/rados"

	"github.com/tidegate/tidegate/internal/cephconn"
)

// seconds is Timeout as Ceph takes it.
func (c *Config) seconds() string { return strconv.Itoa(int(c.Timeout.Seconds() + 0.999)) }

// settings are what this package relies on, whatever ceph.conf says.
func (c *Config) settings() [][2]string {
	seconds := c.seconds()
	s := [][2]string{
		{"client_mount_timeout", seconds},
		{"rados_mon_op_timeout", seconds},
		// libcephfs itself judges permissions, ACLs among them.
		{"fuse_default_permissions", "false"},
		{"client_permissions", "true"},
		{"client_acl_type", "posix_acl"},
		// A session that was lost is not patched up behind our back.
		{"client_reconnect_stale", "false"},
	}
	if c.Clients > 1 {
		// As long as the client that made a file might open it again, no other may
		// keep its data or have it delegated.
		s = append(s, [2]string{"client_caps_release_delay", "1"})
	}
	return s
}

// chatter is the option for what libcephfs keeps in mind of each call, in case that
// the process crashes. A thread is woken for every line of it.
const chatter = "debug_client"

// hush has libcephfs keep no such lines, unless anybody configured how many.
func hush(conn *rados.Conn, untold string) error {
	if level, err := conn.GetConfigOption(chatter); err != nil || level != untold {
		return err
	}
	return conn.SetConfigOption(chatter, "0/0")
}

// connect reaches the cluster, or says in one line what to do. More settings are this
// connection's own.
func (c *Config) connect(more ...[2]string) (*rados.Conn, error) {
	conn, err := rados.NewConnWithUser(c.User)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name(), err)
	}
	untold, err := conn.GetConfigOption(chatter)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name(), err)
	}
	if c.Conf != "" {
		err = conn.ReadConfigFile(c.Conf)
	} else {
		err = conn.ReadDefaultConfigFile()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: the configuration %s cannot be read; name another with --ceph-conf: %w", c.name(), c.Conf, cephconn.Errno(err))
	}
	if c.Keyring != "" {
		err = conn.SetConfigOption("keyring", c.Keyring)
	}
	if c.Key != "" {
		err = errors.Join(err, conn.SetConfigOption("key", c.Key))
	}
	for _, s := range append(c.settings(), more...) {
		err = errors.Join(err, conn.SetConfigOption(s[0], s[1]))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name(), err)
	}
	if err := conn.Connect(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name(), cephconn.Refused(conn, c.User, c.Timeout, err))
	}
	if err := hush(conn, untold); err != nil { // what the monitors configure is known by now
		return nil, fmt.Errorf("%s: %w", c.name(), err)
	}
	return conn, nil
}

// fileSystem is what the monitors tell of one.
type fileSystem struct {
	name    string
	id      uint32
	maxFile uint64
	ranks   int // of MDS that are active
}

// find asks for the file system that is to be exported.
func (c *Config) find(conn *rados.Conn) (f fileSystem, err error) {
	out, _, err := conn.MonCommand([]byte(`{"prefix":"fs dump","format":"json"}`))
	if err != nil {
		return f, fmt.Errorf("%s: the monitors do not tell of file systems; client.%s needs the capability mon 'allow r': %w", c.name(), c.User, cephconn.Errno(err))
	}
	var dump struct {
		Filesystems []struct {
			ID     uint32 `json:"id"`
			MDSMap struct {
				Name    string `json:"fs_name"`
				MaxFile uint64 `json:"max_file_size"`
				In      []int  `json:"in"`
			} `json:"mdsmap"`
		} `json:"filesystems"`
		Default int64 `json:"default_fscid"`
	}
	if err := json.Unmarshal(out, &dump); err != nil {
		return f, fmt.Errorf("%s: what the monitors tell of file systems: %w", c.name(), err)
	}
	var names []string
	for _, x := range dump.Filesystems {
		if x.MDSMap.Name == c.FS || c.FS == "" && int64(x.ID) == dump.Default {
			return fileSystem{x.MDSMap.Name, x.ID, x.MDSMap.MaxFile, len(x.MDSMap.In)}, nil
		}
		names = append(names, x.MDSMap.Name)
	}
	return f, fmt.Errorf("%s: no such file system; there are: %s", c.name(), strings.Join(names, " "))
}
