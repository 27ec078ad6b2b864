package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// anyHost stands in a netgroup for every host there is.
const anyHost = "*"

// netgroup returns the hosts of a netgroup by getent, which asks what this host
// is configured to ask and follows groups in groups.
func netgroup(ctx context.Context, name string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "getent", "netgroup", name).Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 2: // getent(1): not found
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("getent netgroup %s: %w", name, err)
	}
	return hostsOf(string(bytes.TrimSpace(out))), nil
}

// hostsOf reads "NAME (host,user,domain) ...". A host that is empty is any, "-" is
// none.
func hostsOf(line string) (hosts []string) {
	for triple := range strings.SplitSeq(line, "(") {
		triple, _, closed := strings.Cut(triple, ")")
		host, _, commas := strings.Cut(triple, ",")
		switch host = strings.TrimSpace(host); {
		case !closed || !commas || host == "-":
		case host == "":
			hosts = append(hosts, anyHost)
		default:
			hosts = append(hosts, host)
		}
	}
	return hosts
}
