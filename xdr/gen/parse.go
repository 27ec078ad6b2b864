package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// A pkg is the hand-written part of a Go package.
type pkg struct {
	fset  *token.FileSet
	name  string
	decls map[string]decl // by type name
	own   map[string]bool // types with an Encode method of their own
	sizes map[string]int  // least size of an encoded struct; -1 while it is computed
}

// A decl is the declaration of a type.
type decl struct {
	expr ast.Expr
	file string
	max  string // limit that the doc comment's directive sets
	pos  token.Pos
}

func parse(dir string) (*pkg, error) {
	p := &pkg{
		fset:  token.NewFileSet(),
		decls: map[string]decl{},
		own:   map[string]bool{},
		sizes: map[string]int{},
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, suffix) || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(p.fset, filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		p.name = f.Name.Name
		for _, d := range f.Decls {
			p.add(name, d)
		}
	}
	return p, nil
}

func (p *pkg) add(file string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && d.Name.Name == "Encode" {
			if id, ok := d.Recv.List[0].Type.(*ast.Ident); ok {
				p.own[id.Name] = true
			}
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if t, ok := s.(*ast.TypeSpec); ok {
				p.decls[t.Name.Name] = decl{t.Type, file, directive(d.Doc, t.Doc), t.Pos()}
			}
		}
	}
}

func directive(docs ...*ast.CommentGroup) string {
	for _, doc := range docs {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if max, ok := strings.CutPrefix(c.Text, "//xdr:max="); ok {
				return max
			}
		}
	}
	return ""
}

// structs returns the names of the exported structs of a file that want codecs,
// in the order of the source.
func (p *pkg) structs(file string) []string {
	var names []string
	for name, d := range p.decls {
		if _, ok := d.expr.(*ast.StructType); ok && d.file == file && ast.IsExported(name) && !p.own[name] {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return int(p.decls[a].pos - p.decls[b].pos) })
	return names
}

// A field is one name of a struct's field.
type field struct {
	name string
	typ  typ
	pos  token.Pos

	union bool     // it is a discriminant,
	void  []string // and these of its values have no arm
	cases []string // the arms that it is part of
}

func (p *pkg) fields(name string) ([]field, error) {
	var fields []field
	for _, f := range p.decls[name].expr.(*ast.StructType).Fields.List {
		if len(f.Names) == 0 {
			return nil, p.errorf(f.Pos(), "%s: embedded fields have no codec", name)
		}
		proto := field{pos: f.Pos()}
		var limit string
		if f.Tag != nil {
			tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("xdr")
			var err error
			if limit, err = proto.parseTag(tag); err != nil {
				return nil, p.errorf(f.Pos(), "%s: %v", name, err)
			}
		}
		var err error
		if proto.typ, err = p.resolve(f.Type, limit); err != nil {
			return nil, p.errorf(f.Pos(), "%s.%s: %v", name, f.Names[0].Name, err)
		}
		for _, id := range f.Names {
			proto.name = id.Name
			fields = append(fields, proto)
		}
	}
	return fields, nil
}

func (f *field) parseTag(tag string) (limit string, err error) {
	for _, opt := range strings.Split(tag, ",") {
		key, value, _ := strings.Cut(opt, "=")
		switch key {
		case "max":
			limit = value
		case "switch":
			f.union = true
		case "void":
			f.void = strings.Split(value, "|")
		case "case":
			f.cases = strings.Split(value, "|")
		default:
			return "", fmt.Errorf("unknown tag %q", opt)
		}
	}
	return limit, nil
}

func (p *pkg) errorf(pos token.Pos, format string, args ...any) error {
	return fmt.Errorf("%s: %s", p.fset.Position(pos), fmt.Sprintf(format, args...))
}
