package main

import (
	"fmt"
	"slices"
	"strings"
)

// A fieldGroup is a field, and the arms of the union if it is a discriminant.
type fieldGroup struct {
	field field
	arms  []arm
}

// An arm is the fields that follow any of some discriminants.
type arm struct {
	labels []string
	fields []field
}

// otherwise labels the arm of all discriminants without an arm of their own.
const otherwise = "default"

// group gathers unions. The fields with cases must follow a discriminant.
func group(fields []field) []fieldGroup {
	var groups []fieldGroup
	for len(fields) > 0 {
		g := fieldGroup{field: fields[0]}
		fields = fields[1:]
		if g.field.union {
			n := 0
			for n < len(fields) && len(fields[n].cases) > 0 {
				n++
			}
			g.arms = arms(g.field.void, fields[:n])
			fields = fields[n:]
		}
		groups = append(groups, g)
	}
	return groups
}

// arms merges the labels that the same fields follow.
func arms(void []string, fields []field) []arm {
	var labels []string
	for _, f := range fields {
		for _, l := range f.cases {
			if !slices.Contains(labels, l) {
				labels = append(labels, l)
			}
		}
	}
	var out []arm
	for _, l := range append(labels, void...) {
		var follow []field
		for _, f := range fields {
			if slices.Contains(f.cases, l) {
				follow = append(follow, f)
			}
		}
		i := slices.IndexFunc(out, func(a arm) bool { return slices.EqualFunc(a.fields, follow, sameField) })
		if i < 0 || l == otherwise || slices.Contains(out[i].labels, otherwise) {
			out = append(out, arm{[]string{l}, follow})
		} else {
			out[i].labels = append(out[i].labels, l)
		}
	}
	return out
}

func sameField(a, b field) bool { return a.name == b.name }

func (a arm) label() string {
	if a.labels[0] == otherwise {
		return "default:"
	}
	return fmt.Sprintf("case %s:", strings.Join(a.labels, ", "))
}

// total says whether every discriminant has an arm.
func (g fieldGroup) total() bool {
	if g.field.typ.basic == "bool" {
		return len(g.arms) == 2
	}
	return slices.ContainsFunc(g.arms, func(a arm) bool { return a.labels[0] == otherwise })
}

// check reports tags that contradict each other.
func (g fieldGroup) check() error {
	if len(g.field.cases) > 0 {
		return fmt.Errorf("%s has a case outside a union", g.field.name)
	}
	if g.field.union && g.field.typ.kind != scalar {
		return fmt.Errorf("%s is no discriminant", g.field.name)
	}
	if g.field.union != (len(g.arms) > 0) {
		return fmt.Errorf("%s: a union has arms, and nothing else has", g.field.name)
	}
	return nil
}
