package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/risksweep/risksweep/internal/yamldoc"
)

// field is one key of a section of type T.
type field[T any] struct {
	name   string // dotted, below the section
	typ    string // as the reference calls it
	preset string // the default, as text
	doc    string
	secret bool
	text   bool // the text of a variable or flag is a string as it stands
	list   bool // the text of a variable or flag is a list with commas
	// set reads a node into the section, reporting what is wrong with it.
	set func(r *reader, n *yamldoc.Node, to *T)
	// get shows the effective value.
	get func(of *T) string
}

// check reports what is wrong with a value of the right type.
type check[V any] func(r *reader, n *yamldoc.Node, v V)

func text[T any](name, preset, doc string, at func(*T) *string, checks ...check[string]) field[T] {
	return field[T]{name: name, typ: "string", preset: preset, doc: doc, text: true,
		get: func(of *T) string { return *at(of) },
		set: func(r *reader, n *yamldoc.Node, to *T) {
			s, ok := r.String(n)
			for _, c := range checks {
				if ok && s != "" {
					c(r, n, s)
				}
			}
			if ok {
				*at(to) = s
			}
		}}
}

func enum[T any](name, preset, doc string, at func(*T) *string, values ...string) field[T] {
	return field[T]{name: name, typ: strings.Join(values, " | "), preset: preset, doc: doc, text: true,
		get: func(of *T) string { return *at(of) },
		set: func(r *reader, n *yamldoc.Node, to *T) {
			if n.Kind == yamldoc.Bool && slices.Contains(values, strings.ToLower(n.Value)) {
				*at(to) = strings.ToLower(n.Value) // auto | true | false
				return
			}
			if s, ok := r.Enum(n, values...); ok {
				*at(to) = s
			}
		}}
}

func boolean[T any](name, preset, doc string, at func(*T) *bool) field[T] {
	return field[T]{name: name, typ: "boolean", preset: preset, doc: doc,
		get: func(of *T) string { return strconv.FormatBool(*at(of)) },
		set: func(r *reader, n *yamldoc.Node, to *T) {
			if b, ok := r.Bool(n); ok {
				*at(to) = b
			}
		}}
}

// whole is a whole number from 0 to most.
func whole[T any](name, preset, doc string, most int, at func(*T) *int) field[T] {
	return field[T]{name: name, typ: "whole number", preset: preset, doc: doc,
		get: func(of *T) string { return strconv.Itoa(*at(of)) },
		set: func(r *reader, n *yamldoc.Node, to *T) {
			i, ok := r.Int(n)
			switch {
			case !ok:
			case i < 0 || i > most:
				r.Add(n, "must be from 0 to %d, not %d", most, i)
			default:
				*at(to) = i
			}
		}}
}

// number is a number from 0 to most.
func number[T any](name, preset, doc string, most float64, at func(*T) *float64) field[T] {
	return field[T]{name: name, typ: "number", preset: preset, doc: doc,
		get: func(of *T) string { return strconv.FormatFloat(*at(of), 'g', -1, 64) },
		set: func(r *reader, n *yamldoc.Node, to *T) {
			f, ok := r.Float(n)
			switch {
			case !ok:
			case f < 0 || f > most || math.IsNaN(f):
				r.Add(n, "must be from 0 to %g, not %s", most, n.Value)
			default:
				*at(to) = f
			}
		}}
}

// duration is a Go duration within bounds, both included.
func duration[T any](name, preset, doc string, least, most time.Duration, at func(*T) *time.Duration) field[T] {
	return field[T]{name: name, typ: "duration", preset: preset, doc: doc, text: true,
		get: func(of *T) string { return shortDuration(*at(of)) },
		set: func(r *reader, n *yamldoc.Node, to *T) {
			if n.Kind == yamldoc.Number && n.Value == "0" && least <= 0 {
				*at(to) = 0
				return
			}
			d, ok := r.Duration(n)
			switch {
			case !ok:
			case d < least || d > most:
				r.Add(n, "must be from %s to %s, not %s", shortDuration(least), shortDuration(most), n.Value)
			default:
				*at(to) = d
			}
		}}
}

// shortDuration writes 720h instead of 720h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// list is a list of distinct strings out of the values; without values, of
// any.
func list[T any](name, doc string, at func(*T) *[]string, values ...string) field[T] {
	typ := "list of strings"
	if len(values) > 0 {
		typ = "list of " + strings.Join(values, " | ")
	}
	return field[T]{name: name, typ: typ, doc: doc, list: true,
		get: func(of *T) string { return strings.Join(*at(of), ", ") },
		set: func(r *reader, n *yamldoc.Node, to *T) {
			items, ok := r.Items(n)
			if !ok {
				return
			}
			var all []string
			for _, it := range items {
				var s string
				if len(values) > 0 {
					s, ok = r.Enum(it, values...)
				} else {
					s, ok = r.String(it)
				}
				switch {
				case !ok:
				case slices.Contains(all, s):
					r.Add(it, "%q is listed twice", s)
				default:
					all = append(all, s)
				}
			}
			*at(to) = all
		}}
}

// filename is a file or folder; a relative one starts from the folder of the file
// that names it.
func filename[T any](name, doc string, at func(*T) *string) field[T] {
	return field[T]{name: name, typ: "path", doc: doc, text: true,
		get: func(of *T) string { return *at(of) },
		set: func(r *reader, n *yamldoc.Node, to *T) {
			s, ok := r.String(n)
			switch {
			case !ok:
			case strings.IndexFunc(s, unicode.IsControl) >= 0:
				r.Add(n, "holds a control character")
			default:
				*at(to) = r.absolute(n, s)
			}
		}}
}

// hidden is a secret: {env: NAME} or {file: PATH} in a file, or the text of
// the key's own variable. Where optional, a variable that is not set is no
// mistake, as long as nothing needs it.
func hidden[T any](name, doc string, optional bool, at func(*T) *Secret) field[T] {
	return field[T]{name: name, typ: "secret", doc: doc, secret: true, text: true,
		get: func(of *T) string { return at(of).String() },
		set: func(r *reader, n *yamldoc.Node, to *T) { *at(to) = r.secret(n, optional) }}
}

// node makes the node of a field from the text of a variable, flag or default.
func (f field[T]) node(source, path, value string) *yamldoc.Node {
	switch {
	case f.list:
		n := &yamldoc.Node{File: source, Path: path, Kind: yamldoc.Sequence}
		for i, item := range strings.Split(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				n.Items = append(n.Items, &yamldoc.Node{File: source, Path: fmt.Sprintf("%s[%d]", path, i), Kind: yamldoc.String, Value: item})
			}
		}
		return n
	case f.text:
		return &yamldoc.Node{File: source, Path: path, Kind: yamldoc.String, Value: value}
	}
	return yamldoc.Plain(source, path, value)
}
