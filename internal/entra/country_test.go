package entra

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"
)

func TestCountry(t *testing.T) {
	for code, want := range map[string]string{
		"UK": "GB", "uk": "GB", "AC": "SH", "EL": "GR", "USA": "US", "deu": "DE", "GBR": "GB", "ZR": "CD",
		"ZZ": "", "EU": "", "XX": "", "XA": "", "QO": "", "UN": "", "": "", "D": "", "Germany": "", "D E": "", "  ": "", "ZZZ": "", "001": "",
	} {
		if known, meant := Country(code); known || meant != want {
			t.Errorf("%q: known %t, meant %q; want %q", code, known, meant, want)
		}
	}
	for _, code := range []string{"DE", "de", "XK", "GB", "NO", "AQ", "UM", " se "} {
		if known, meant := Country(code); !known || meant != "" {
			t.Errorf("%q is not known, meant %q", code, meant)
		}
	}
	for code, meant := range meantCountries {
		if known, _ := Country(code); known {
			t.Errorf("%s is a country of its own", code)
		}
		if known, _ := Country(meant); !known {
			t.Errorf("%s, which %s is to mean, is none", meant, code)
		}
	}
}

// TestCountriesAreThoseOfTheStandard compares the table with the one of another
// library, which also counts what the standard only reserves or has withdrawn.
func TestCountriesAreThoseOfTheStandard(t *testing.T) {
	reserved := []string{"AC", "CP", "CQ", "DG", "EA", "IC", "TA", "AN", "CS", "EZ", "FQ", "NT", "PC", "SU", "UN", "YU"}
	n := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			r, err := language.ParseRegion(code)
			theirs := err == nil && r.String() == code && r.IsCountry() && r.Canonicalize().String() == code
			ours, _ := Country(code)
			if ours {
				n++
			}
			if theirs != ours && !slices.Contains(reserved, code) {
				t.Errorf("%s: %t here, %t there", code, ours, theirs)
			}
		}
	}
	if n != 250 || len(strings.Fields(countries)) != n {
		t.Errorf("%d codes of %d", n, len(strings.Fields(countries)))
	}
}
