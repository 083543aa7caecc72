package config

import (
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/risksweep/risksweep/internal/yamldoc"
)

// secret reads a secret: the text of the key's own variable, or in a document
// {env: NAME} or {file: PATH}. Nothing of it ever stands in a problem.
func (r *reader) secret(n *yamldoc.Node, optional bool) Secret {
	bare := *n
	bare.Value = ""
	n = &bare
	if n.Line == 0 {
		return r.reveal(n, r.text(n.File))
	}
	if n.Kind != yamldoc.Mapping {
		r.Add(n, "a secret does not stand in the text: write {env: NAME} or {file: PATH}")
		return Secret{}
	}
	if !r.Fields(n, "env", "file") {
		return Secret{}
	}
	env, haveEnv := r.String(n.Get("env"))
	file, haveFile := r.String(n.Get("file"))
	switch {
	case n.Get("env") != nil && n.Get("file") != nil:
		r.Add(n, "give env or file, not both")
	case haveEnv && !variableName(env):
		// Somebody may have pasted the secret itself.
		r.AddProblem(yamldoc.Problem{File: n.File, Line: n.Line, Column: n.Column, Path: n.Path, Message: "env must be the name of a variable: letters, digits and _"})
	case haveEnv:
		r.named[env] = true
		value, ok := r.opts.Env(env)
		if ok && value != "" {
			return r.reveal(n, value)
		}
		if !optional {
			r.missing(n.Get("env"), "the environment variable %s is not set", env)
		}
	case haveFile && file == "":
		r.Add(n.Get("file"), "must not be empty")
	case haveFile && !r.unneeded(n):
		path := r.absolute(n, file)
		data, err := r.opts.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.missing(n.Get("file"), "the secret file %s cannot be read: %s", path, reason(err))
		case err != nil:
			r.Add(n.Get("file"), "the secret file %s cannot be read: %s", path, reason(err))
		case len(data) > maxSecret:
			r.Add(n.Get("file"), "the secret file %s is larger than 64 KiB", path)
		default:
			first := r.reveal(n.Get("file"), fileText(data))
			if first.IsZero() {
				return first
			}
			return fromFile(first.Reveal(), func() (string, bool) {
				data, err := r.opts.ReadFile(path)
				text, wrong := secretText(fileText(data))
				return text, err == nil && len(data) <= maxSecret && wrong == ""
			})
		}
	case n.Get("env") == nil && n.Get("file") == nil:
		r.Add(n, "give env or file")
	}
	return Secret{}
}

// missing reports a secret that is not there, as far as it is needed.
func (r *reader) missing(n *yamldoc.Node, format string, args ...any) {
	switch {
	case r.unneeded(n):
	case r.opts.Use == ToCheck:
		r.absent = true
		r.Warn(n, format, args...)
	default:
		r.Add(n, format, args...)
	}
}

// unneeded reports whether a secret need not be there: another tenant's, or
// where only reports are read any but the store's.
func (r *reader) unneeded(n *yamldoc.Node) bool {
	return r.unswept || r.opts.Use == ToRead && !strings.HasPrefix(n.Path, "store.")
}

func (r *reader) text(variable string) string {
	value, _ := r.opts.Env(variable)
	return value
}

func (r *reader) reveal(n *yamldoc.Node, value string) Secret {
	bare := *n
	bare.Value = ""
	text, wrong := secretText(value)
	if wrong != "" {
		r.Add(&bare, "%s", wrong)
		return Secret{}
	}
	return NewSecret(text)
}

// fileText is the text of a file: UTF-16 where its byte-order mark says so, as
// Windows PowerShell 5.1 writes it, else as it stands.
func fileText(data []byte) string {
	text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), data)
	if err != nil {
		return string(data)
	}
	return string(text)
}

// maxSecret bounds the file of a secret.
const maxSecret = 64 << 10

// secretText is the secret in a variable or file, or what is wrong with it.
func secretText(value string) (text, wrong string) {
	value = strings.TrimRight(value, "\r\n")
	switch {
	case strings.TrimSpace(value) == "":
		return "", "the secret is empty"
	case strings.ContainsAny(value, "\r\n\x00"):
		return "", "the secret has more than one line"
	}
	if service := unresolved(value); service != "" {
		return "", "the secret is " + adviceUnresolved(service)
	}
	return value, ""
}

func variableName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 128
}
