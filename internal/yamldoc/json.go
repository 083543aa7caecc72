package yamldoc

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonReader walks JSON tokens and keeps the line and column of each.
type jsonReader struct {
	*parse
	dec          *jsontext.Decoder
	data         []byte
	at           int // byte that line and column belong to
	line, column int
}

// json reads a text that begins as JSON does. Its error means that the text is
// not JSON; the problems then say nothing yet.
func (p *parse) json(data []byte) (*Node, error) {
	r := &jsonReader{parse: p, data: data, line: 1, column: 1,
		dec: jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))}
	root, err := r.value("", 0)
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.ReadToken(); err != io.EOF {
		if err == nil {
			err = errors.New("data after the value")
		}
		return nil, err
	}
	return root, nil
}

// move brings line and column to a byte, which is never before the last one.
func (r *jsonReader) move(offset int64) place {
	for r.at < int(offset) {
		c, size := utf8.DecodeRune(r.data[r.at:])
		r.at += size
		r.column++
		if c == '\n' {
			r.line, r.column = r.line+1, 1
		}
	}
	return place{r.line, r.column}
}

func (r *jsonReader) value(path string, depth int) (*Node, error) {
	kind := r.dec.PeekKind()
	if kind != '{' && kind != '[' {
		return r.scalar(path)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, err
	}
	n, err := r.node(r.move(r.dec.InputOffset()-1), path)
	if err != nil {
		return nil, err
	}
	if err := r.deep(n, depth); err != nil {
		return nil, err
	}
	if kind == '[' {
		n.Kind = Sequence
		for r.dec.PeekKind() != ']' {
			item, err := r.value(itemPath(path, len(n.Items)), depth+1)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
	} else if err := r.members(n, depth); err != nil {
		return nil, err
	}
	_, err = r.dec.ReadToken()
	return n, err
}

func (r *jsonReader) members(n *Node, depth int) error {
	n.Kind = Mapping
	seen := map[string]*Node{}
	for r.dec.PeekKind() != '}' {
		key, err := r.scalar("")
		if err != nil {
			return err
		}
		key.Path = memberPath(n.Path, key.Value)
		value, err := r.value(key.Path, depth+1)
		if err != nil {
			return err
		}
		if first := seen[key.Value]; first != nil {
			r.duplicate(key, first)
			continue
		}
		seen[key.Value] = key
		n.Keys, n.Values = append(n.Keys, key), append(n.Values, value)
	}
	return nil
}

func (r *jsonReader) scalar(path string) (*Node, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	n, err := r.node(r.move(r.dec.InputOffset()-int64(len(raw))), path)
	if err != nil {
		return nil, err
	}
	switch raw.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return nil, err
		}
		n.Kind, n.Value = String, string(text)
	case '0':
		n.Kind, n.Value = Number, string(raw)
	case 't', 'f':
		n.Kind, n.Value = Bool, string(raw)
	}
	return n, nil
}

// jsonError reports why a text is not JSON.
func (p *parse) jsonError(data []byte, err error) {
	p.problems = nil
	offset := int64(len(data))
	message := "JSON ends too early"
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
	case errors.As(err, &syntax):
		offset, message = syntax.ByteOffset, "not JSON: "+syntax.Err.Error()
	default:
		message = "not JSON: " + err.Error()
	}
	line, column := position(data, int(offset))
	p.add(line, column, "", "%s", oneLine(message))
}
