package check

import (
	"math/big"
	"regexp"
	"strings"
	"unicode"
)

// secrets reports keys, cards, accounts and phone numbers: what is learned from
// one person's conversation must not be told to others (security.md L4).
func secrets(text string) []Problem {
	var out []Problem
	add := func(message, span string) { out = append(out, problem(CodeSecret, message, mask(span))) }
	view := look(text)
	for i := range keys {
		for _, m := range keys[i].all(view, 4) {
			add("has what looks like a key or token", text[m[0]:m[1]])
		}
	}
	if !strings.ContainsAny(text, "0123456789") {
		return out // all that follows has digits
	}
	for _, m := range assigned.FindAllStringSubmatch(text, 4) {
		if strings.ContainsFunc(m[2], unicode.IsDigit) && strings.ContainsFunc(m[2], unicode.IsLetter) {
			add("has what looks like a password or key", m[2])
		}
	}
	for _, s := range ibans.FindAllString(text, 4) {
		if validIBAN(s) {
			add("has a bank account number", s)
			return out
		}
	}
	for _, s := range numbers.FindAllString(text, 8) {
		digits := onlyDigits(s)
		switch {
		case len(digits) >= 13 && len(digits) <= 19 && luhn(digits):
			add("has a card number", s)
		case socialSecurity.MatchString(s):
			add("has a social security number", s)
		case phone(s, digits):
			add("has a phone number; name the page that has it instead", s)
		}
	}
	return out
}

var (
	keys = each(
		`\b(sk|pk|rk)[-_](live|test|proj|ant|or)?[-_]?[A-Za-z0-9_-]{14,}`,
		`\b(AKIA|ASIA)[0-9A-Z]{12,}`,
		`\bgh[pousr]_[A-Za-z0-9]{16,}`,
		`\bgithub_pat_\w{16,}`,
		`\bglpat-[\w-]{16,}`,
		`\bxox[abeprs]-[A-Za-z0-9-]{8,}`,
		`\bAIza[0-9A-Za-z_-]{20,}`,
		`\bya29\.[\w-]{16,}`,
		`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`,
		`-----BEGIN [A-Z ]+`,
		`\b(hf|npm|dop|pypi|heed)[_-][A-Za-z0-9]{20,}`,
		`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`)
	// assigned captures the value in "the password is hunter2" and "token=abc123".
	assigned       = regexp.MustCompile(`(?i)\b(api[ _-]?key|token|secret|password|passwd|passwort|pwd|mot de passe|contraseña)\s*(?:is|ist|est|es|=|:)\s*["']?([^\s"',;]{6,64})`)
	ibans          = regexp.MustCompile(`\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b`)
	numbers        = regexp.MustCompile(`\+?\(?\d[\d ()./-]{6,30}\d`)
	socialSecurity = regexp.MustCompile(`^\d{3}-\d{2}-\d{4}$`)
	dates          = regexp.MustCompile(`^\(?(\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|\d{4} ?[-/] ?\d{4})( [-/]? ?(\d{1,4}[-./ ]?)*)?$`)
	phoneStart     = regexp.MustCompile(`^(\+|00\d|\(0?\d{2,5}\)|0\d|\d{3}[-.) ]+\d{3}[-. ]+\d{4}$|\d-\d{3}-\d{3}-\d{4}$)`)
)

// phone reports whether a run of digits is written the way people write phone
// numbers: an international or trunk prefix, or the North American groups.
func phone(s, digits string) bool {
	return len(digits) >= 8 && len(digits) <= 15 && !dates.MatchString(s) && phoneStart.MatchString(s)
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// luhn is the check of card numbers (ISO/IEC 7812-1).
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0 && strings.Trim(digits, digits[:1]) != ""
}

// validIBAN is the check of account numbers (ISO 13616: remainder 1 of 97).
func validIBAN(s string) bool {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	var b strings.Builder
	for _, r := range s[4:] + s[:4] {
		if r >= 'A' {
			b.WriteString([]string{"10", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34", "35"}[r-'A'])
		} else {
			b.WriteRune(r)
		}
	}
	n, ok := new(big.Int).SetString(b.String(), 10)
	return ok && new(big.Int).Mod(n, big.NewInt(97)).Int64() == 1
}

// mask keeps enough of a secret to find it in the text, not enough to use it.
func mask(s string) string {
	r := []rune(s)
	if len(r) <= 6 {
		return "…"
	}
	return string(r[:3]) + "…"
}
