package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
)

type kind int

const (
	scalar kind = iota // one method of Encoder and Decoder
	fixed              // [N]byte
	opaque             // []byte
	text               // string
	array              // []T
	option             // *T
	coded              // a type with Encode and Decode
)

// A typ is a Go type as XDR sees it.
type typ struct {
	kind  kind
	name  string // the type's own name, if it has one
	basic string // a scalar's Go type; the name of its methods too
	size  int    // of fixed
	limit string // of opaque, text and array
	elem  *typ   // of array and option
}

// scalars holds the methods and the encoded size of Go's basic types.
var scalars = map[string]struct {
	method string
	size   int
}{
	"bool":   {"Bool", 4},
	"int32":  {"Int32", 4},
	"uint32": {"Uint32", 4},
	"int64":  {"Int64", 8},
	"uint64": {"Uint64", 8},
}

// unlimited stands where the protocol sets no limit but the message's size.
const unlimited = "math.MaxInt32"

func (p *pkg) resolve(expr ast.Expr, limit string) (typ, error) {
	if limit == "" {
		limit = unlimited
	}
	switch x := expr.(type) {
	case *ast.Ident:
		return p.named(x.Name, limit)
	case *ast.StarExpr:
		elem, err := p.resolve(x.X, limit)
		return typ{kind: option, elem: &elem}, err
	case *ast.ArrayType:
		return p.sequence(x, limit)
	}
	return typ{}, fmt.Errorf("%T has no XDR", expr)
}

func (p *pkg) sequence(x *ast.ArrayType, limit string) (typ, error) {
	id, ok := x.Elt.(*ast.Ident)
	isByte := ok && id.Name == "byte"
	if x.Len != nil {
		n, ok := x.Len.(*ast.BasicLit)
		if !isByte || !ok || n.Kind != token.INT {
			return typ{}, errors.New("the only arrays are of bytes, with a literal length")
		}
		size, err := strconv.Atoi(n.Value)
		return typ{kind: fixed, size: size}, err
	}
	if isByte {
		return typ{kind: opaque, limit: limit}, nil
	}
	elem, err := p.resolve(x.Elt, "")
	return typ{kind: array, limit: limit, elem: &elem}, err
}

func (p *pkg) named(name, limit string) (typ, error) {
	if name == "string" {
		return typ{kind: text, limit: limit}, nil
	}
	if _, ok := scalars[name]; ok {
		return typ{kind: scalar, basic: name}, nil
	}
	d, ok := p.decls[name]
	if !ok {
		return typ{}, fmt.Errorf("type %s has no XDR", name)
	}
	if _, ok := d.expr.(*ast.StructType); ok || p.own[name] {
		return typ{kind: coded, name: name}, nil
	}
	if d.max != "" {
		limit = d.max
	}
	t, err := p.resolve(d.expr, limit)
	if err == nil && t.kind == coded {
		return typ{}, fmt.Errorf("%s is %s by another name, without its methods", name, t.name)
	}
	t.name = name
	return t, err
}

// size returns a lower bound for the size of an encoded t.
func (p *pkg) size(t typ) (int, error) {
	switch t.kind {
	case scalar:
		return scalars[t.basic].size, nil
	case fixed:
		return (t.size + 3) &^ 3, nil
	case coded:
		if p.own[t.name] {
			return 4, nil
		}
		return p.structSize(t.name)
	}
	return 4, nil
}

func (p *pkg) structSize(name string) (int, error) {
	if n, ok := p.sizes[name]; ok {
		if n < 0 {
			return 0, fmt.Errorf("%s contains itself", name)
		}
		return n, nil
	}
	p.sizes[name] = -1
	fields, err := p.fields(name)
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, g := range group(fields) {
		n, err := p.groupSize(g)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	p.sizes[name] = sum
	return sum, nil
}

func (p *pkg) groupSize(g fieldGroup) (int, error) {
	sum, err := p.size(g.field.typ)
	if err != nil {
		return 0, err
	}
	least := -1
	for _, a := range g.arms {
		n := 0
		for _, f := range a.fields {
			s, err := p.size(f.typ)
			if err != nil {
				return 0, err
			}
			n += s
		}
		if least < 0 || n < least {
			least = n
		}
	}
	return sum + max(least, 0), nil
}
