package entra

import (
	"strings"

	"golang.org/x/text/language"
)

// countries are the codes that the service takes: those that ISO 3166-1
// assigns, and XK, which it keeps for users and which stands for Kosovo.
const countries = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ" +
	" CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR" +
	" GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP" +
	" KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ" +
	" NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW" +
	" SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ" +
	" VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW "

// meantCountries are codes that people write for another one: of languages and
// vehicles, of parts of a country, and those that ISO 3166-1 has withdrawn.
var meantCountries = map[string]string{
	"UK": "GB", "EN": "GB", "EL": "GR", "JA": "JP", "SP": "ES", "SF": "FI", "DA": "DK", "CS": "CZ", "KO": "KR",
	"AC": "SH", "TA": "SH", "DG": "IO", "CP": "FR", "IC": "ES", "EA": "ES", "CQ": "GG",
	"FX": "FR", "DD": "DE", "SU": "RU", "YU": "RS", "ZR": "CD", "BU": "MM", "TP": "TL", "AN": "CW",
}

// Country reports whether a text is the code of a country, in any case, and
// otherwise the code that is probably meant, empty if none is likely.
func Country(code string) (known bool, meant string) {
	code = strings.ToUpper(strings.TrimSpace(code))
	if len(code) == 2 && strings.Contains(countries, " "+code+" ") {
		return true, ""
	}
	if meant = meantCountries[code]; meant != "" {
		return false, meant
	}
	if len(code) == 3 { // the longer codes of the same standard
		if r, err := language.ParseRegion(code); err == nil && strings.Contains(countries, " "+r.String()+" ") {
			return false, r.String()
		}
	}
	return false, ""
}
