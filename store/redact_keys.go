package store

import (
	"bytes"
	"regexp"
)

// keyStarts are how keys and tokens of well-known services begin, and the fewest
// characters of the whole.
var keyStarts = []struct {
	start string
	least int
}{
	{"sk-", 20}, {"sk_", 20}, {"pk_", 20}, {"rk_", 20}, {"pk-", 20}, {"AKIA", 16}, {"ASIA", 16}, {"ghp_", 20}, {"gho_", 20}, {"ghu_", 20},
	{"ghs_", 20}, {"ghr_", 20}, {"github_pat_", 27}, {"glpat-", 20}, {"xoxa-", 13}, {"xoxb-", 13}, {"xoxe-", 13}, {"xoxp-", 13},
	{"xoxr-", 13}, {"xoxs-", 13}, {"AIza", 24}, {"ya29.", 20}, {"eyJ", 30}, {"hf_", 20}, {"npm_", 20}, {"dop_v1_", 20}, {"pypi-", 20},
	{"whsec_", 20}, {"GOCSPX-", 20}, {"xapp-", 13}, {"xoxd-", 13}, {"shpat_", 20}, {"glsa_", 20}, {"gsk_", 20}, {"xai-", 20}, {"dapi", 36},
	{"heed-", 24}, {"heed_", 24}, {"SG.", 30}, {"AccountKey=", 20},
}

// leastKey is the fewest characters of any of them, and keyFirst the characters
// that they begin with: most words are passed over by these.
const leastKey = 13

var keyFirst = func() (first [256]bool) {
	for _, k := range keyStarts {
		first[k.start[0]] = true
	}
	return first
}()

// assigned captures the value in "the password is hunter2!" and "token":"abc123".
var assigned = regexp.MustCompile(`(?i)(?:api[ _-]?key|access[ _-]?key|token|secret|password|passwd|passwort|pwd|mot de passe|contraseña)\b["']?\s*(?:is|ist|est|es|=|:)\s*["']?([^\s"'\\,;{}\[\]]{6,256})`)

// assignedHints are in every text that assigned can match.
var assignedHints = [][]byte{[]byte("key"), []byte("token"), []byte("secret"), []byte("pass"), []byte("pwd"), []byte("contrase")}

// keys finds keys, tokens, passwords and private key blocks.
func (r *redactor) keys() {
	b := r.plain
	for i := 0; i < len(b); {
		if !isWord(b[i]) {
			i++
			continue
		}
		hi := i
		for hi < len(b) && isKeyByte(b[hi]) {
			hi++
		}
		r.token(i, hi)
		i = max(hi, i+1)
	}
	lower := lowered(b)
	for _, hint := range assignedHints {
		if bytes.Contains(lower, hint) {
			for _, m := range assigned.FindAllSubmatchIndex(b, -1) {
				if value := b[m[2]:m[3]]; secretive(value) {
					r.add(m[2], m[3], "key")
				}
			}
			break
		}
	}
	r.schemes(lower, "bearer ", func([]byte) bool { return true })
	r.schemes(lower, "basic ", func(v []byte) bool { return bytes.ContainsAny(v, "0123456789=") }) // else a word
	if bytes.Contains(b, []byte("://")) {
		for _, m := range inURL.FindAllSubmatchIndex(b, -1) {
			r.add(m[2], m[3], "key")
		}
	}
	r.blocks()
}

// lowered is b with ASCII's capitals made small: every byte stays in its place,
// which bytes.ToLower does not promise.
func lowered(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// inURL captures the password in https://user:password@host.
var inURL = regexp.MustCompile(`://[^\s/:@"'<>]*:([^\s/@"'<>]{1,256})@`)

// schemes finds what follows the name of a scheme of HTTP authentication.
func (r *redactor) schemes(lower []byte, name string, secret func(value []byte) bool) {
	for i := 0; ; {
		n := bytes.Index(lower[i:], []byte(name))
		if n < 0 {
			return
		}
		lo := i + n + len(name)
		hi := lo
		for hi < len(lower) && isKeyByte(lower[hi]) {
			hi++
		}
		if hi-lo >= 12 && secret(lower[lo:hi]) {
			r.add(lo, hi, "key")
		}
		i = lo
	}
}

func isKeyByte(c byte) bool { return isWord(c) || bytes.IndexByte([]byte("-.+/=~"), c) >= 0 }

// token looks for a well-known start at the start of a run, or after a character
// that joins words.
func (r *redactor) token(lo, hi int) {
	for i := lo; i < hi; i++ {
		if !keyFirst[r.plain[i]] || hi-i < leastKey || i > lo && isWord(r.plain[i-1]) {
			continue
		}
		for _, k := range keyStarts {
			if hi-i >= k.least && bytes.HasPrefix(r.plain[i:hi], []byte(k.start)) {
				end := hi
				for end > i && r.plain[end-1] == '.' { // the end of the sentence
					end--
				}
				r.add(i, end, "key")
				return
			}
		}
	}
}

// secretive reports whether a value is rather a secret than a word: it has a digit
// or a sign in it, and is no number, marker or placeholder.
func secretive(value []byte) bool {
	letter, other := false, false
	for _, c := range value {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letter = true
		case isDigit(c) || bytes.IndexByte([]byte("!@#$%^&+=~-_/"), c) >= 0:
			other = true
		}
	}
	return letter && other && value[0] != '<' && value[0] != '$'
}

// blocks finds private keys as PEM (RFC 7468), to their end or the text's.
func (r *redactor) blocks() {
	b := r.plain
	for i := 0; ; {
		n := bytes.Index(b[i:], []byte("-----BEGIN "))
		if n < 0 {
			return
		}
		lo := i + n
		hi := lo + bytes.IndexByte(append(b[lo:len(b):len(b)], '\n'), '\n')
		if !bytes.Contains(b[lo:hi], []byte("PRIVATE KEY")) {
			i = lo + 1
			continue
		}
		hi = len(b)
		if end := bytes.Index(b[lo:], []byte("-----END ")); end >= 0 {
			hi = lo + end
			if last := bytes.Index(b[hi+len("-----END "):], []byte("-----")); last >= 0 {
				hi += len("-----END ") + last + len("-----")
			}
		} else if quote := bytes.IndexByte(b[lo:], '"'); quote >= 0 { // JSON goes on behind the string
			hi = lo + quote
		}
		r.add(lo, hi, "key")
		i = hi
	}
}
