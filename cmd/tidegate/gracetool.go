package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/tidegate/tidegate/cluster"
)

// graceToolName is the name of nfs-ganesha's tool for the grace database, which
// orchestrators call, and for which this program stands in under that name.
const graceToolName = "ganesha-rados-grace"

const graceToolUsage = "Usage:\n%s [ --userid ceph_user ] [ --cephconf /path/to/ceph.conf ] [ --ns namespace ] [ --oid obj_id ] [ --pool pool_id ] " +
	"dump|add|start|join|lift|remove|enforce|noenforce|member [ nodeid ... ]\n"

// graceTool answers as that tool does, errors and exit codes included.
func graceTool(args []string, stdout, stderr io.Writer) (code int) {
	at, rest, err := graceToolOptions(args[1:])
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n"+graceToolUsage, args[0], err, args[0])
		return exitFailed
	}
	command, nodes := "dump", rest
	if len(rest) > 0 {
		command, nodes = rest[0], rest[1:]
	}
	if command != "dump" && len(nodes) == 0 {
		fmt.Fprintln(stderr, "Need at least one nodeid.")
		return graceToolFailed(stderr, syscall.EINVAL)
	}
	pool, err := dialPool(at, command == "add")
	if errors.Is(err, errNoPool) {
		err = syscall.ENOENT
	}
	if err != nil {
		fmt.Fprintf(stderr, "Can't connect to cluster: %s\n", strings.TrimPrefix(cluster.Failure(err), "Failure: "))
		return exitFailed
	}
	defer pool.close()
	err = graceToolCommand(stdout, cluster.NewDatabase(pool, at.oid), command, nodes)
	if errors.Is(err, errGraceCommand) {
		fmt.Fprintf(stderr, graceToolUsage, args[0])
		err = syscall.EINVAL
	}
	if err != nil {
		return graceToolFailed(stderr, err)
	}
	return 0
}

func graceToolFailed(stderr io.Writer, err error) (code int) {
	fmt.Fprintln(stderr, cluster.Failure(err))
	return exitFailed
}

var errGraceCommand = errors.New("no such command")

func graceToolCommand(stdout io.Writer, db *cluster.Database, command string, nodes []string) error {
	ctx := context.Background()
	if command == "dump" {
		said, err := db.Read(ctx)
		if err == nil {
			fmt.Fprint(stdout, said)
		}
		return err
	}
	i := slices.IndexFunc(graceChanges, func(c graceChange) bool { return c.name == command })
	if i < 0 {
		return errGraceCommand
	}
	return graceChanges[i].apply(ctx, db, nodes)
}

// graceToolOptions reads options as getopt_long does: wherever they stand, and
// shortened.
func graceToolOptions(args []string) (at place, rest []string, err error) {
	at = place{pool: defaultPool, oid: defaultOID}
	options := map[string]*string{
		"userid": &at.user, "cephconf": &at.conf, "ns": &at.namespace, "oid": &at.oid, "pool": &at.pool,
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return at, append(rest, args...), nil
		case !strings.HasPrefix(arg, "-") || arg == "-":
			rest = append(rest, arg)
			continue
		}
		long, ok := strings.CutPrefix(arg, "--")
		name, value, given := strings.Cut(long, "=")
		var option string
		for o := range options {
			if ok && name != "" && strings.HasPrefix(o, name) { // no two begin alike
				option = o
			}
		}
		switch {
		case !ok:
			return at, nil, fmt.Errorf("invalid option -- '%s'", arg[1:2])
		case option == "":
			return at, nil, fmt.Errorf("unrecognized option '--%s'", name)
		case !given && len(args) == 0:
			return at, nil, fmt.Errorf("option '--%s' requires an argument", option)
		case !given:
			value, args = args[0], args[1:]
		}
		*options[option] = value
	}
	return at, rest, nil
}
