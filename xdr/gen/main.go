// Gen writes XDR codecs for the structs of Go source files.
//
//	//go:generate go run ../../xdr/gen attr.go open.go
//
// writes attr_gen.go and open_gen.go: for each exported struct T of the named
// files that has no Encode method yet
//
//	func (v T) Encode(e *xdr.Encoder)
//	func DecodeT(d *xdr.Decoder) (v T)
//
// The types are the format: bool, int32, uint32, int64, uint64 and types made
// of them are what they seem; string and []byte are opaque data of variable
// length, of which []byte aliases the Decoder's input; [N]byte is opaque data
// of fixed length; []T is an array, *T an optional value. A type with an Encode
// method and a Decode function of its own is used through them.
//
// Field tags say what Go types cannot:
//
//	xdr:"max=128"           the longest opaque or array that decodes
//	xdr:"switch"            the discriminant of a union: the fields that follow
//	                        and have a case are its arms
//	xdr:"case=A|B"          the field is part of the arms A and B; default is
//	                        every discriminant without an arm
//	xdr:"switch,void=A|B"   arms without fields
//
// A discriminant without an arm is xdr.ErrValue. A type of its own carries its
// limit in a directive, //xdr:max=128, in its doc comment.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const suffix = "_gen.go"

func main() {
	if err := run(".", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "xdr/gen:", err)
		os.Exit(1)
	}
}

func run(dir string, files []string) error {
	p, err := parse(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		src, err := p.generate(file)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(file, ".go") + suffix
		if err := os.WriteFile(filepath.Join(dir, name), src, 0o644); err != nil {
			return err
		}
	}
	return nil
}
