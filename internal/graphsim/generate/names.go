package generate

import (
	"strings"
	"unicode"
)

// givenNames and surnames stay distinct when they are folded to ASCII, so that
// distinct names have distinct addresses.
var givenNames = strings.Fields(`Adele Aisha Alejandro Alex Amara Amélie Anders Anika Antonio Anwar Arjun Astrid Ayumi Beatriz
Benjamin Björn Camila Carlos Caroline Catalina Chen Chiara Christie Clara Claude Cora Dae-jung Dagmar Daniel Debra Deepa
Diego Dmitri Dylan Eleni Elif Elias Emeka Emma Enrico Erik Esther Eva Fatima Felix Fiona François Freya Gabriel Giulia
Grady Greta Hamza Hannah Haruto Hassan Helena Henrietta Hiro Hugo Ibrahim Ines Ingrid Irvin Isaiah Ivana Jakub Javier
Johanna Jonas Joni José Julia Kaito Karim Katarzyna Kenji Khadija Kofi Lars Laura Layla Lee Leif Lena Lidia Lina Luca
Lucía Lynne Maja Malik Marcin Mariana Marta Mateo Megan Mei Mina Miriam Mohammed Nadia Naomi Nestor Nia Nikolai Nils
Noor Oksana Olivia Omar Oscar Patti Paula Pedro Petra Pradeep Priya Quentin Rachel Rahul Raphaël Rosa Rui Sakura Samir
Sara Sergei Siobhán Sofia Søren Stella Sven Tariq Thandiwe Théo Tomasz Ulrike Valeria Vance Victor Viktoria Wanjiru
William Xavier Yara Yuki Yusuf Zainab Zoë`)

var surnames = strings.Fields(`Abbott Adeyemi Aguilar Akhtar Almeida Andersen Andrade Baker Balogun Banerjee Barbosa Bauer Becker
Bergström Bianchi Borges Boucher Brandt Campos Carvalho Castillo Chandra Chavez Chukwu Costa Cruz Dahl Delgado Demir Dias
Dubois Duarte Eklund Engel Eriksson Espinoza Farah Fernandes Fischer Fontaine Forsberg Garcia Gomes González Greco Gupta
Haddad Hansen Hartmann Hashimoto Heikkinen Henry Hernández Hoffmann Huang Ibarra Ito Ivanov Jankowski Jensen Johansson
Kamau Kapoor Kato Kaya Keller Khan Kim Kovács Kowalski Krüger Kumar Langer Larsen Laurent Lemaire Lindqvist Lombardi
López Ma Machado MacDonald Marchetti Marques Martín Mbeki Mendes Meyer Moreau Moretti Mori Moyo Müller Murray Mwangi
Nakamura Navarro Neumann Nguyen Nielsen Novak Nowak Oduya Okafor Olsen O'Brien O'Connor Ortega Osei Ozturk Park Patel
Pereira Petrov Popescu Quispe Rahman Ramírez Reyes Ricci Rojas Romano Rossi Roux Sahin Saito Salazar Sánchez Santos Sato
Schäfer Schmidt Schneider Sharma Silva Singh Sokolov Solberg Soto Sousa Suzuki Tanaka Thomas Torres Tran Ueda Vargas
Vasquez Vega Virtanen Vogel Wagner Walker Wang Watanabe Weber Wilber Williams Winther Yamamoto Yılmaz Young Zhang Ziegler
Zimmermann Zulu`)

// name is the i-th of an endless sequence of distinct names; start and step
// make it look shuffled. The first ones have no middle initial.
func name(i, start, step uint64) (given, middle, surname string) {
	g, s := uint64(len(givenNames)), uint64(len(surnames))
	round, n := i/(g*s), i%(g*s)
	n = (n*step + start) % (g * s)
	given, surname = givenNames[n%g], surnames[n/g]
	for ; round > 0; round = (round - 1) / 26 {
		middle += string(rune('A' + (round-1)%26))
	}
	return given, middle, surname
}

// nameStep is a step that reaches every name: it has no common factor with the
// number of names.
func nameStep(s source) uint64 {
	n := uint64(len(givenNames) * len(surnames))
	for {
		if step := 1 + s.Uint64N(n-1); gcd(step, n) == 1 {
			return step
		}
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

var ascii = strings.NewReplacer(
	"á", "a", "ä", "a", "å", "a", "ç", "c", "é", "e", "è", "e", "ë", "e", "í", "i", "ı", "i", "ñ", "n", "ó", "o",
	"ö", "o", "ø", "o", "ú", "u", "ü", "u", "ß", "ss", "'", "", " ", "", "-", "",
)

// address is a name as it stands in a mail address.
func address(parts ...string) string {
	var words []string
	for _, p := range parts {
		if p != "" {
			words = append(words, ascii.Replace(strings.ToLower(p)))
		}
	}
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return -1
		}
		return r
	}, strings.Join(words, "."))
}
