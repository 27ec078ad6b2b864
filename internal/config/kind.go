package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is what a key's values may be.
type kind struct {
	name     string
	unit     string
	min      int64
	max      uint64
	bounded  bool
	choices  []string // each a name and its synonyms, as in "rw|readwrite"
	many     bool     // a list
	validate func(string) error
}

var (
	boolean  = kind{name: "boolean"}
	text     = kind{name: "text"}
	pathname = kind{name: "path"}
	words    = kind{name: "list", many: true}
	address  = kind{name: "address", validate: func(s string) error {
		_, err := netip.ParseAddr(s)
		return err
	}}
)

func number(min int64, max uint64) kind {
	return kind{name: "number", min: min, max: max, bounded: true}
}

func seconds(min int64, max uint64) kind {
	return kind{name: "number", unit: "seconds", min: min, max: max, bounded: true}
}

func octets(min int64, max uint64) kind {
	return kind{name: "number", unit: "bytes", min: min, max: max, bounded: true}
}

func oneOf(choices ...string) kind { return kind{name: "choice", choices: choices} }

func manyOf(choices ...string) kind {
	return kind{name: "list of choices", choices: choices, many: true}
}

// bounds describes the values that k takes.
func (k kind) bounds() string {
	switch {
	case k.choices != nil:
		names := make([]string, len(k.choices))
		for i, c := range k.choices {
			names[i] = strings.ReplaceAll(c, "|", " or ")
		}
		return strings.Join(names, ", ")
	case k.name == boolean.name:
		return "true or false"
	case k.bounded && k.unit != "":
		return fmt.Sprintf("%d to %d %s", k.min, k.max, k.unit)
	case k.bounded:
		return fmt.Sprintf("%d to %d", k.min, k.max)
	}
	return ""
}

// read returns values as a bool, an integer, a string or a []string.
func (k kind) read(values []string) (any, error) {
	switch {
	case len(values) == 0:
		return nil, errors.New("there is no value")
	case k.many:
		return k.readMany(values)
	case len(values) > 1:
		return nil, fmt.Errorf("there are %d values where one is taken", len(values))
	}
	v := values[0]
	switch {
	case k.choices != nil:
		return k.choose(v)
	case k.name == boolean.name:
		return readFlag(v)
	case k.bounded:
		return k.readNumber(v)
	case k.validate != nil:
		if err := k.validate(v); err != nil {
			return nil, fmt.Errorf("%q is not an %s", v, k.name)
		}
	}
	return v, nil
}

func (k kind) readMany(values []string) (any, error) {
	all := []string{}
	for _, v := range values {
		if k.choices != nil {
			c, err := k.choose(v)
			if err != nil {
				return nil, err
			}
			v = c
		}
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all, nil
}

// choose returns the first of v's synonyms.
func (k kind) choose(v string) (string, error) {
	var all []string
	for _, c := range k.choices {
		names := strings.Split(c, "|")
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, v) }) {
			return names[0], nil
		}
		all = append(all, names...)
	}
	return "", fmt.Errorf("%q is none of %s%s", v, k.bounds(), suggestion(v, all))
}

func readFlag(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "true", "yes", "on":
		return true, nil
	case "false", "no", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is not true or false", v)
}

// readNumber reads a number as C writes them, "-" and "~" before it included.
func (k kind) readNumber(v string) (any, error) {
	digits, negative := strings.CutPrefix(v, "-")
	digits, inverted := strings.CutPrefix(digits, "~")
	n, err := strconv.ParseUint(digits, 0, 64)
	if err != nil || strings.Contains(digits, "_") {
		return nil, fmt.Errorf("%q is not a number", v)
	}
	if inverted {
		n = uint64(^uint32(n))
	}
	low := k.min >= 0 && (negative && n > 0 || n < uint64(k.min))
	low = low || k.min < 0 && negative && n > uint64(-k.min)
	if low || !negative && n > k.max {
		return nil, fmt.Errorf("%s is not in %s", v, k.bounds())
	}
	if negative {
		return -int64(n), nil
	}
	return n, nil
}

// store puts what read returned into the setting that into points to.
func store(into, v any) {
	switch p := into.(type) {
	case *bool:
		*p = v.(bool)
	case *string:
		*p = v.(string)
	case *[]string:
		*p = v.([]string)
	case *uint64:
		*p = v.(uint64)
	case *time.Duration:
		*p = time.Duration(v.(uint64)) * time.Second
	case *int64:
		if n, ok := v.(uint64); ok {
			*p = int64(n)
		} else {
			*p = v.(int64)
		}
	}
}

// show writes a setting as a configuration does.
func show(from any) string {
	switch p := from.(type) {
	case *bool:
		return strconv.FormatBool(*p)
	case *string:
		return quoted(*p)
	case *[]string:
		all := make([]string, len(*p))
		for i, v := range *p {
			all[i] = quoted(v)
		}
		return strings.Join(all, ", ")
	case *uint64:
		return strconv.FormatUint(*p, 10)
	case *int64:
		return strconv.FormatInt(*p, 10)
	case *time.Duration:
		return strconv.FormatInt(int64(*p/time.Second), 10)
	}
	return ""
}

// quoted is v as it must be written to be read back.
func quoted(v string) string {
	if v != "" && !strings.ContainsAny(v, " \t\r\n{}=;,#\"'%\\") {
		return v
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
}
