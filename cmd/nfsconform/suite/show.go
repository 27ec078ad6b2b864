package suite

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidegate/tidegate/nfs4/client"
	"github.com/tidegate/tidegate/nfs4/wire"
)

// showOps returns operations as they are read in a report.
func showOps(ops []wire.Args) string {
	var b strings.Builder
	for i, op := range ops {
		if i > 0 {
			b.WriteString("; ")
		}
		if i == showLimit {
			fmt.Fprintf(&b, "… %d in all", len(ops))
			break
		}
		b.WriteString(op.Op().String())
		b.WriteString(show(op))
	}
	return b.String()
}

func showReply(r *client.Reply) string {
	var b strings.Builder
	b.WriteString(r.Status.String())
	for i, result := range r.Results {
		if i == showLimit {
			fmt.Fprintf(&b, "; … %d in all", len(r.Results))
			break
		}
		fmt.Fprintf(&b, "; %v", result.Op)
		if result.Status != wire.OK {
			fmt.Fprintf(&b, " %v", result.Status)
		}
		if result.Body != nil {
			b.WriteString(show(result.Body))
		}
	}
	return b.String()
}

func showStatuses(all []wire.Status) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.String()
	}
	return strings.Join(names, " or ")
}

const (
	showLimit = 16 // elements of a list
	showBytes = 48
)

// show returns a value of package wire with the fields that are not zero.
func show(v any) string {
	var b strings.Builder
	showValue(&b, reflect.ValueOf(v))
	return b.String()
}

func showValue(b *strings.Builder, v reflect.Value) {
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case wire.Bitmap:
			showBitmap(b, x)
			return
		case fmt.Stringer:
			b.WriteString(x.String())
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		showStruct(b, v)
	case reflect.Pointer:
		if !v.IsNil() {
			showValue(b, v.Elem())
		}
	case reflect.Array, reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			showOpaque(b, v)
			return
		}
		showList(b, v)
	default:
		fmt.Fprint(b, v)
	}
}

func showStruct(b *strings.Builder, v reflect.Value) {
	b.WriteByte('{')
	first := true
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			continue
		}
		if !first {
			b.WriteByte(' ')
		}
		first = false
		fmt.Fprintf(b, "%s:", v.Type().Field(i).Name)
		showValue(b, v.Field(i))
	}
	b.WriteByte('}')
}

func showList(b *strings.Builder, v reflect.Value) {
	b.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == showLimit {
			fmt.Fprintf(b, "… %d in all", v.Len())
			break
		}
		showValue(b, v.Index(i))
	}
	b.WriteByte(']')
}

func showBitmap(b *strings.Builder, m wire.Bitmap) {
	b.WriteByte('[')
	sep := ""
	for a := range m.All() {
		fmt.Fprintf(b, "%s%v", sep, a)
		sep = " "
	}
	b.WriteByte(']')
}

// showOpaque writes text quoted and anything else in hexadecimal.
func showOpaque(b *strings.Builder, v reflect.Value) {
	n := min(v.Len(), showBytes)
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(v.Index(i).Uint())
	}
	verb := "%x"
	if utf8.Valid(data) && strings.IndexFunc(string(data), func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		verb = "%q"
	}
	fmt.Fprintf(b, verb, data)
	if n < v.Len() {
		fmt.Fprintf(b, "… (%d bytes)", v.Len())
	}
}
