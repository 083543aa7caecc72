package entra

import "testing"

func TestUserAgent(t *testing.T) {
	for info, want := range map[string]string{
		"": "", "serAgent": "", `{"Key":"userAgent","Value":"a"}`: "",
		`[{"Key":"userAgent","Value":"Mozilla/5.0 (\u00fc)"}]`:                              "Mozilla/5.0 (ü)",
		` [{"Key":"x","Value":["userAgent",{"Key":1}]}, {"Value":"b","Key":"UserAgent"} ] `: "b",
		`[{"key":"userAgent","value":"c"}]`:                                                 "c",
		`[{"Key":"userAgent","Value":null},{"Key":"userAgent","Value":"d"}]`:                "d",
		`[{"Key":"userAgent","Value":"e"}`:                                                  "",
		`[{"Key":"userAgent","Value":"e"}] x`:                                               "",
		`[{"Key":"userAgent","Value":7},"userAgent"]`:                                       "",
	} {
		if got := (&Detection{AdditionalInfo: info}).UserAgent(); got != want {
			t.Errorf("%s: %q, want %q", info, got, want)
		}
	}
}
