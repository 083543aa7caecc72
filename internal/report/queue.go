package report

import (
	"slices"
	"strings"
	"unicode"
)

// waitingRow is one who waits for a person, as the page shows it.
type waitingRow struct {
	Waiting
	// Is names what the row can be chosen by.
	Is string
}

// waitingRows are the rows of the queue, each with the words to choose it by.
func (m *pageModel) waitingRows() []waitingRow {
	groups := map[string][]string{}
	for _, g := range m.Campaigns {
		for _, u := range g.Users {
			groups[u.ID] = append(groups[u.ID], g.ID)
		}
	}
	rows := make([]waitingRow, len(m.Waiting))
	for i, w := range m.Waiting {
		words := groups[w.ID]
		if w.Overdue {
			words = append(words, "overdue")
		}
		if w.Privileged {
			words = append(words, "privileged")
		}
		if w.Evidence != nil {
			for _, t := range w.Evidence.Types {
				words = append(words, oneWord(t))
			}
		}
		rows[i] = waitingRow{w, strings.Join(words, " ")}
	}
	return rows
}

// WaitingTypes are the types of detection of those who wait.
func (m *pageModel) WaitingTypes() []string {
	var types []string
	for _, w := range m.Waiting {
		if w.Evidence == nil {
			continue
		}
		for _, t := range w.Evidence.Types {
			if !slices.Contains(types, t) && len(types) < maxTypes {
				types = append(types, t)
			}
		}
	}
	slices.Sort(types)
	return types
}

// oneWord makes one word of a type of detection, which the service names: no
// type is mistaken for another word that a row is chosen by.
func oneWord(s string) string {
	return "type-" + strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '-'
	}, s)
}
