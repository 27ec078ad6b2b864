package fs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/tidegate/tidegate/recovery"
)

const (
	epochsKind = "tidegate epochs 1"
	clientKind = "tidegate client 1"

	// maxFile is above what the largest record takes when every byte of it is
	// written as \xNN.
	maxFile = 4 * (recovery.MaxOwner + 2*recovery.MaxText + recovery.MaxHandles*(recovery.MaxHandle+8) + 1024)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pair is the content of DIR/epochs.
type pair struct {
	recovery.Epochs
	run   uint64
	floor uint64 // records of the settled epoch from earlier runs are void
	lease time.Duration
}

// settled is the epoch whose grace period, if it had one, was committed.
func (p pair) settled() uint64 {
	if p.Recovering != 0 {
		return p.Recovering
	}
	return p.Current
}

// record is the content of one client's file.
type record struct {
	recovery.Client
	run     uint64
	removed bool
}

func fileName(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:])
}

func isFileName(name string) bool {
	sum, err := hex.DecodeString(name)
	return err == nil && len(sum) == sha256.Size && strings.ToLower(name) == name
}

func epochDir(epoch uint64) string { return "epoch-" + strconv.FormatUint(epoch, 10) }

func parseEpochDir(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, "epoch-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil && epochDir(n) == name
}

func (p pair) encode() []byte {
	b := fmt.Appendf(nil, "%s\ncurrent %d\nrecovering %d\nrun %d\nfloor %d\nlease %v\n",
		epochsKind, p.Current, p.Recovering, p.run, p.floor, p.lease)
	return seal(b)
}

func (r record) encode() []byte {
	b := fmt.Appendf(nil, "%s\nowner %q\nprincipal %q\naddress %q\nrun %d\n",
		clientKind, r.Owner, r.Principal, r.Addr, r.run)
	for _, flag := range r.flags() {
		if *flag.bit {
			b = fmt.Appendf(b, "flag %s\n", flag.name)
		}
	}
	for _, h := range r.Handles {
		b = fmt.Appendf(b, "handle %q\n", h)
	}
	return seal(b)
}

type flag struct {
	name string
	bit  *bool
}

func (r *record) flags() []flag {
	return []flag{
		{"exclusive", &r.Exclusive}, {"revoked", &r.Revoked},
		{"incomplete", &r.Incomplete}, {"removed", &r.removed},
	}
}

func seal(b []byte) []byte {
	return fmt.Appendf(b, "crc32c %08x\n", crc32.Checksum(b, castagnoli))
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", recovery.ErrDamaged, fmt.Sprintf(format, args...))
}

// lines checks what seal added and the kind, and returns the lines between.
func lines(b []byte, kind string) ([]string, error) {
	if len(b) == 0 {
		return nil, damaged("empty")
	}
	i := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
	if string(b[i:]) != fmt.Sprintf("crc32c %08x\n", crc32.Checksum(b[:i], castagnoli)) {
		return nil, damaged("the checksum does not match")
	}
	all := strings.Split(strings.TrimSuffix(string(b[:i]), "\n"), "\n")
	if all[0] != kind {
		return nil, fmt.Errorf("%w: it begins %s", recovery.ErrForeign, recovery.Quote(all[0]))
	}
	return all[1:], nil
}

func decodePair(b []byte) (p pair, err error) {
	all, err := lines(b, epochsKind)
	if err != nil {
		return pair{}, err
	}
	seen := 0
	for _, line := range all {
		key, value, _ := strings.Cut(line, " ")
		numbers := map[string]*uint64{
			"current": &p.Current, "recovering": &p.Recovering, "run": &p.run, "floor": &p.floor,
		}
		if n, ok := numbers[key]; ok {
			*n, err = strconv.ParseUint(value, 10, 64)
		} else if key == "lease" {
			p.lease, err = time.ParseDuration(value)
		} else {
			err = errors.New("unknown key")
		}
		if err != nil {
			return pair{}, damaged("line %q: %v", line, err)
		}
		seen++
	}
	if seen != 5 || p.Recovering != 0 && p.Recovering >= p.Current || p.lease < 0 {
		return pair{}, damaged("its values make no sense")
	}
	return p, nil
}

func decodeRecord(b []byte) (r record, err error) {
	all, err := lines(b, clientKind)
	if err != nil {
		return record{}, err
	}
	for _, line := range all {
		if err := r.decodeLine(line); err != nil {
			return record{}, damaged("line %s: %v", recovery.Quote(line), err)
		}
	}
	if err := r.Validate(); err != nil {
		return record{}, damaged("%v", err)
	}
	return r, nil
}

func (r *record) decodeLine(line string) (err error) {
	key, value, _ := strings.Cut(line, " ")
	switch key {
	case "owner":
		r.Owner, err = strconv.Unquote(value)
	case "principal":
		r.Principal, err = strconv.Unquote(value)
	case "address":
		r.Addr, err = strconv.Unquote(value)
	case "run":
		r.run, err = strconv.ParseUint(value, 10, 64)
	case "handle":
		var h string
		h, err = strconv.Unquote(value)
		r.Handles = append(r.Handles, h)
	case "flag":
		for _, flag := range r.flags() {
			if flag.name == value {
				*flag.bit = true
				return nil
			}
		}
		return errors.New("unknown flag")
	default:
		return errors.New("unknown key")
	}
	return err
}
