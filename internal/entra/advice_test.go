package entra

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

type numbered string

func (n numbered) Error() string          { return string(n) }
func (n numbered) ServiceMessage() string { return string(n) }
func (n numbered) Unwrap() error          { return ErrBadRequest }

func TestAdvice(t *testing.T) {
	for want, err := range map[string]error{
		"1064": fmt.Errorf("creating: %w", numbered("1064: clientAppTypes")), "licence": fmt.Errorf("x: %w", ErrUnlicensed),
		"throttling": ErrThrottled, "": errors.New("a disk is full"),
	} {
		if a, ok := AdviceFor(err); a.Name != want || ok != (want != "") {
			t.Errorf("%v: %q", err, a.Name)
		}
	}
}

// docs/errors.md has one row for each, word by word, and no others.
func TestEveryErrorIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range Advices {
		row := fmt.Sprintf("| %s | %s | %s |\n", a.Name, a.Means, a.Do)
		if !strings.Contains(string(doc), row) {
			t.Errorf("no row %s", row)
		}
		doc = []byte(strings.Replace(string(doc), row, "", 1))
	}
	_, rest, _ := strings.Cut(string(doc), "|---|---|---|\n")
	if strings.HasPrefix(rest, "|") {
		t.Errorf("a row that no error has: %.80s", rest)
	}
}
