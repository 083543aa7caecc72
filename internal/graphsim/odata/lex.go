package odata

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenLiteral
	tokenPunctuation
)

// token is one piece of an expression; at is its byte position.
type token struct {
	kind  tokenKind
	text  string
	value Value
	// enum is the type that a literal names, as in microsoft.graph.riskLevel'low'.
	enum string
	at   int
}

var (
	guidForm   = regexp.MustCompile(`^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}`)
	dateForm   = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,12})?)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?`)
	numberForm = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?`)
)

// scan cuts an expression into tokens, with an end token last.
func scan(text string) ([]token, *Error) {
	var tokens []token
	for at := 0; ; {
		for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
			at++
		}
		if at == len(text) {
			return append(tokens, token{kind: tokenEnd, at: at}), nil
		}
		if len(tokens) > maxTokens {
			return nil, filterError("The node count limit of '%d' has been exceeded.", maxTokens)
		}
		t, end, err := scanOne(text, at)
		if err != nil {
			return nil, err
		}
		tokens, at = append(tokens, t), end
	}
}

func scanOne(text string, at int) (token, int, *Error) {
	rest := text[at:]
	switch c := rest[0]; {
	case strings.IndexByte("(),/:", c) >= 0:
		return token{kind: tokenPunctuation, text: rest[:1], at: at}, at + 1, nil
	case c == '\'':
		s, size, ok := scanString(rest)
		if !ok {
			return token{}, 0, filterError("There is an unterminated string literal at position %d in '%s'.", len(text), text)
		}
		return token{kind: tokenLiteral, text: rest[:size], value: Text(s), at: at}, at + size, nil
	}
	if v, size, ok := scanLiteral(rest); ok {
		return token{kind: tokenLiteral, text: rest[:size], value: v, at: at}, at + size, nil
	}
	first, _ := utf8.DecodeRuneInString(rest)
	if first >= '0' && first <= '9' || first == '-' {
		size := strings.IndexAny(rest, " ,()'")
		if size < 0 {
			size = len(rest)
		}
		return token{}, 0, filterError("Unrecognized 'Edm.String' literal '%s' at '%d' in '%s'.", rest[:size], at, text)
	}
	size := 0
	for size < len(rest) {
		r, n := utf8.DecodeRuneInString(rest[size:])
		if !isNameRune(r) {
			break
		}
		size += n
	}
	if size == 0 {
		return token{}, 0, filterError("Syntax error: character '%s' is not valid at position %d in '%s'.", string(first), at, text)
	}
	word := rest[:size]
	switch strings.ToLower(word) {
	case "null":
		return token{kind: tokenLiteral, text: "null", at: at}, at + size, nil
	case "true", "false":
		return token{kind: tokenLiteral, text: strings.ToLower(word), value: Boolean(strings.EqualFold(word, "true")), at: at}, at + size, nil
	}
	if size < len(rest) && rest[size] == '\'' && strings.Contains(word, ".") {
		s, quoted, ok := scanString(rest[size:])
		if !ok {
			return token{}, 0, filterError("There is an unterminated string literal at position %d in '%s'.", len(text), text)
		}
		return token{kind: tokenLiteral, text: rest[:size+quoted], value: Text(s), enum: word, at: at}, at + size + quoted, nil
	}
	return token{kind: tokenName, text: word, at: at}, at + size, nil
}

func isNameRune(r rune) bool {
	return r == '_' || r == '.' || r == '$' || r == '@' || (r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)))
}

// scanString reads a quoted literal, in which two quotes stand for one.
func scanString(s string) (value string, size int, ok bool) {
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		return strings.ReplaceAll(s[1:i], "''", "'"), i + 1, true
	}
	return "", 0, false
}

// scanLiteral reads a GUID, a date or a number that stands on its own.
func scanLiteral(s string) (Value, int, bool) {
	if m := guidForm.FindString(s); m != "" && endsAt(s, len(m)) {
		return Guid(m), len(m), true
	}
	if m := dateForm.FindString(s); m != "" && endsAt(s, len(m)) {
		t, ok := parseTime(m)
		return AtTicks(max(Ticks(t), 1)), len(m), ok
	}
	m := numberForm.FindString(s)
	if m == "" || !endsAt(s, len(m)) {
		return Value{}, 0, false
	}
	if n, err := strconv.ParseInt(m, 10, 64); err == nil {
		return Integer(n), len(m), true
	}
	f, err := strconv.ParseFloat(m, 64)
	return Float(f), len(m), err == nil
}

func endsAt(s string, size int) bool {
	return size == len(s) || strings.IndexByte(" \t\r\n,()/", s[size]) >= 0
}

func parseTime(s string) (time.Time, bool) {
	s = strings.ToUpper(s)
	for _, layout := range []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, trimFraction(s)); err == nil {
			return t.UTC(), t.UTC().Year() > 0
		}
	}
	return time.Time{}, false
}

// trimFraction keeps seven digits of a second: the service compares no finer.
func trimFraction(s string) string {
	dot := strings.IndexByte(s, '.')
	if dot < 0 {
		return s
	}
	end := dot + 1
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	return s[:dot+1] + s[dot+1:min(end, dot+8)] + s[end:]
}
