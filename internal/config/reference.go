package config

import (
	"strings"
	"unicode"

	"github.com/risksweep/risksweep/internal/yamldoc"
)

// KeyDoc is one key of the reference.
type KeyDoc struct {
	Key     string `json:"key"`
	Type    string `json:"type"`
	Default string `json:"default"`
	// Env is the variable that sets the key, empty for members of a list.
	Env string `json:"environment"`
	// Flag is the flag that sets the key, without dashes; empty for secrets,
	// which would show in the list of processes, and for lists.
	Flag string `json:"flag"`
	Doc  string `json:"doc"`
}

// Variables that are read besides those of the keys.
const (
	EnvConfig           = "RISKSWEEP_CONFIG"
	EnvTenants          = "RISKSWEEP_TENANTS"
	EnvNotices          = "RISKSWEEP_NOTICES"
	EnvConnectionString = "RISKSWEEP_STORE_CONNECTION_STRING"
	EnvNCRONTAB         = "RISKSWEEP_SCHEDULE_NCRONTAB"
)

// Reference documents every key, in the order in which config show prints
// them.
func Reference() []KeyDoc {
	docs := []KeyDoc{{Key: "tenants", Type: "list", Env: EnvTenants, Doc: "The tenants to sweep; the variable takes the list as YAML."}}
	for _, f := range tenantKeys {
		docs = append(docs, KeyDoc{Key: "tenants[]." + f.name, Type: f.typ, Default: f.preset, Doc: f.doc})
	}
	for _, f := range keys {
		d := KeyDoc{Key: f.name, Type: f.typ, Default: f.preset, Env: EnvName(f.name), Doc: f.doc}
		if !f.secret {
			d.Flag = FlagName(f.name)
		}
		docs = append(docs, d)
	}
	docs = append(docs, KeyDoc{Key: "notices", Type: "list", Env: EnvNotices, Doc: "Webhooks that hear of what needs a person; the variable takes the list as YAML."})
	for _, f := range noticeKeys {
		docs = append(docs, KeyDoc{Key: "notices[]." + f.name, Type: f.typ, Default: f.preset, Doc: f.doc})
	}
	return docs
}

// EnvName is the variable of a key: store.keepDays is RISKSWEEP_STORE_KEEP_DAYS.
func EnvName(key string) string {
	return "RISKSWEEP_" + strings.ToUpper(words(key, '_'))
}

// FlagName is the flag of a key, without dashes: store.keepDays is
// store-keep-days.
func FlagName(key string) string { return words(key, '-') }

// words puts a separator for each dot and before each new word.
func words(key string, separator rune) string {
	var b strings.Builder
	for _, r := range key {
		switch {
		case r == '.':
			b.WriteRune(separator)
		case unicode.IsUpper(r):
			b.WriteRune(separator)
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// lift makes a field of a section into one of the section around it.
func lift[Outer, Inner any](prefix string, f field[Inner], in func(*Outer) *Inner) field[Outer] {
	return field[Outer]{name: prefix + f.name, typ: f.typ, preset: f.preset, doc: f.doc, secret: f.secret, text: f.text, list: f.list,
		set: func(r *reader, n *yamldoc.Node, to *Outer) { f.set(r, n, in(to)) },
		get: func(of *Outer) string { return f.get(in(of)) }}
}
