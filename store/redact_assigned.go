package store

import "bytes"

// secretName is what people and programs call a secret.
type secretName struct {
	name   string
	digits int // a value of digits alone is a secret from this length on; 0 never
}

// secretNames are in lower case; where a name has a space, a dash, an underscore or
// nothing may stand.
var secretNames = []secretName{
	{"password", 4}, {"passwd", 4}, {"passphrase", 4}, {"passcode", 4}, {"passwort", 4}, {"kennwort", 4}, {"pwd", 4}, {"mot de passe", 4}, {"contraseña", 4},
	{"api key", 16}, {"access key", 16}, {"secret key", 16}, {"private key", 16}, {"auth key", 16}, {"token", 16}, {"secret", 16}, {"authorization", 16},
}

// nameStarts are the rarest parts of the names, by which most texts are passed over.
var nameStarts = [][]byte{[]byte("key"), []byte("token"), []byte("secret"), []byte("pass"), []byte("pwd"), []byte("kennwort"), []byte("contrase"), []byte("authorization")}

// Limits of a secret that is known by its name alone, in bytes.
const (
	leastSecret = 6
	mostSecret  = 256
)

// assigned finds the value in "the password is hunter2!" and "token":"abc123".
func (r *redactor) assigned(lower []byte) {
	any := false
	for _, s := range nameStarts {
		any = any || bytes.Contains(lower, s)
	}
	if !any {
		return
	}
	for _, n := range secretNames {
		first, rest, _ := bytes.Cut([]byte(n.name), []byte(" "))
		for i := 0; ; {
			at := bytes.Index(lower[i:], first)
			if at < 0 {
				break
			}
			i += at + len(first)
			if end := restOfName(lower, i, rest); end > 0 {
				if lo, hi := assignedValue(lower, end); secretive(r.plain[lo:hi], n.digits) {
					r.add(lo, hi, "key")
				}
			}
		}
	}
}

// restOfName is where the name ends whose first word ends at i, 0 when it is
// another word.
func restOfName(b []byte, i int, rest []byte) int {
	for len(rest) > 0 {
		if i < len(b) && bytes.IndexByte([]byte(" -_"), b[i]) >= 0 {
			i++
		}
		var word []byte
		word, rest, _ = bytes.Cut(rest, []byte(" "))
		if !bytes.HasPrefix(b[i:], word) {
			return 0
		}
		i += len(word)
	}
	if i < len(b) && isWord(b[i]) {
		return 0
	}
	return i
}

// assigns are what stands between a name and its value, longer ones first.
var assigns = [][]byte{[]byte("is "), []byte("ist "), []byte("est "), []byte("es "), []byte("lautet "), []byte("is: "), []byte("ist: "), []byte(":="), []byte("=>"), []byte("->"), []byte("="), []byte(":")}

// assignedValue is where the value stands of a name that ends at i; an empty span
// when nothing is assigned to it.
func assignedValue(b []byte, i int) (lo, hi int) {
	i = skip(b, i, "\"'`*", 2)
	i = skip(b, i, " \t\r\n", 4)
	for _, a := range assigns {
		if !bytes.HasPrefix(b[i:], a) {
			continue
		}
		lo = skip(b, skip(b, i+len(a), " \t\r\n", 4), "\"'`*", 2)
		for hi = lo; hi < len(b) && hi-lo < mostSecret && b[hi] > ' ' && bytes.IndexByte([]byte("\"'`\\,;{}[]"), b[hi]) < 0; hi++ {
		}
		return lo, hi
	}
	return 0, 0
}

// skip passes over at most n bytes of a set.
func skip(b []byte, i int, set string, n int) int {
	for ; n > 0 && i < len(b) && bytes.IndexByte([]byte(set), b[i]) >= 0; n-- {
		i++
	}
	return i
}

// secretive reports whether a value is rather a secret than a word, a number, a
// marker or a placeholder: it mixes letters with digits, or with signs inside, or
// its letters are large and small without order. digits is secretName's.
func secretive(value []byte, digits int) bool {
	if len(value) == 0 || value[0] == '<' || value[0] == '$' {
		return false
	}
	value = bytes.TrimRight(value, "!?.:)")
	letters, numbers, signs, turns := 0, 0, 0, 0
	for i, c := range value {
		switch {
		case isCapital(upper(c)):
			if letters++; i > 0 && isCapital(upper(value[i-1])) && isCapital(c) != isCapital(value[i-1]) {
				turns++
			}
		case isDigit(c):
			numbers++
		case bytes.IndexByte([]byte("!@#$%^&+=~"), c) >= 0:
			signs++
		}
	}
	switch {
	case letters == 0:
		return digits > 0 && numbers == len(value) && numbers >= digits
	case numbers+signs > 0:
		return len(value) >= leastSecret
	}
	return len(value) >= 16 && letters >= len(value)-2 && 9*turns >= 4*letters // words in camelCase turn less often
}
