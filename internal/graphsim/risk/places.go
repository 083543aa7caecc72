package risk

// place is where an address seems to be; coordinates are in degrees.
type place struct {
	city, state, country string
	latitude, longitude  float64
}

// vpnPlace is where the corporate VPN leaves, an index into places.
const vpnPlace = 0

var places = []place{
	{"Ashburn", "Virginia", "US", 39.0438, -77.4874},
	{"Seattle", "Washington", "US", 47.6062, -122.3321},
	{"Chicago", "Illinois", "US", 41.8781, -87.6298},
	{"Dallas", "Texas", "US", 32.7767, -96.797},
	{"New York", "New York", "US", 40.7128, -74.006},
	{"Toronto", "Ontario", "CA", 43.6532, -79.3832},
	{"Mexico City", "Ciudad de Mexico", "MX", 19.4326, -99.1332},
	{"Sao Paulo", "Sao Paulo", "BR", -23.5505, -46.6333},
	{"Buenos Aires", "Buenos Aires", "AR", -34.6037, -58.3816},
	{"London", "England", "GB", 51.5072, -0.1276},
	{"Dublin", "Dublin", "IE", 53.3498, -6.2603},
	{"Paris", "Ile-de-France", "FR", 48.8566, 2.3522},
	{"Amsterdam", "Noord-Holland", "NL", 52.3676, 4.9041},
	{"Berlin", "Berlin", "DE", 52.52, 13.405},
	{"Frankfurt am Main", "Hessen", "DE", 50.1109, 8.6821},
	{"Zurich", "Zurich", "CH", 47.3769, 8.5417},
	{"Vienna", "Wien", "AT", 48.2082, 16.3738},
	{"Milan", "Lombardia", "IT", 45.4642, 9.19},
	{"Madrid", "Madrid", "ES", 40.4168, -3.7038},
	{"Lisbon", "Lisboa", "PT", 38.7223, -9.1393},
	{"Stockholm", "Stockholms Lan", "SE", 59.3293, 18.0686},
	{"Helsinki", "Uusimaa", "FI", 60.1699, 24.9384},
	{"Warsaw", "Mazowieckie", "PL", 52.2297, 21.0122},
	{"Bucharest", "Bucuresti", "RO", 44.4268, 26.1025},
	{"Kyiv", "Kyyiv", "UA", 50.4501, 30.5234},
	{"Istanbul", "Istanbul", "TR", 41.0082, 28.9784},
	{"Moscow", "Moskva", "RU", 55.7558, 37.6173},
	{"Lagos", "Lagos", "NG", 6.5244, 3.3792},
	{"Johannesburg", "Gauteng", "ZA", -26.2041, 28.0473},
	{"Nairobi", "Nairobi Area", "KE", -1.2921, 36.8219},
	{"Dubai", "Dubai", "AE", 25.2048, 55.2708},
	{"Mumbai", "Maharashtra", "IN", 19.076, 72.8777},
	{"Singapore", "Singapore", "SG", 1.3521, 103.8198},
	{"Ho Chi Minh City", "Ho Chi Minh", "VN", 10.8231, 106.6297},
	{"Hong Kong", "Hong Kong", "HK", 22.3193, 114.1694},
	{"Seoul", "Seoul", "KR", 37.5665, 126.978},
	{"Tokyo", "Tokyo", "JP", 35.6762, 139.6503},
	{"Sydney", "New South Wales", "AU", -33.8688, 151.2093},
	{"Auckland", "Auckland", "NZ", -36.8509, 174.7645},
}

// agents are the browsers and tools that sign in.
var agents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	"python-requests/2.32.3",
	"axios/1.7.9",
	"BAV2ROPC",
}

var malware = []string{"Conficker", "Sality", "Ramnit", "Necurs", "Virut"}
