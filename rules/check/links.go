package check

import (
	"encoding/base64"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// links reports addresses that are not on the allowed domains, and markup that
// a client would render or fetch. It reads folded text.
func links(folded string, allowed []string) []Problem {
	var out []Problem
	if s := markup.find(look(folded)); s != "" {
		out = append(out, problem(CodeMarkup, "has markup; write plain words", s))
	}
	text := folded
	if pointed(folded) {
		var more []Problem
		more, text = addresses(folded, allowed)
		out = append(out, more...)
	}
	if s := spelled.find(look(text)); s != "" {
		out = append(out, problem(CodeLink, "spells out an address", s))
	}
	if len(out) > maxProblems {
		out = out[:maxProblems]
	}
	return out
}

// pointed reports whether s has what every address has: a colon, a slash, or a
// full stop that no space follows.
func pointed(s string) bool {
	if strings.ContainsAny(s, ":/") {
		return true
	}
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '.' && s[i+1] != ' ' {
			return true
		}
	}
	return false
}

// addresses reports those that are not allowed, and returns the text without
// those that are.
func addresses(text string, allowed []string) ([]Problem, string) {
	var out []Problem
	for _, s := range urls.FindAllString(text, 16) {
		host := hostOf(s)
		if !isAllowed(host, allowed) {
			out = append(out, problem(CodeLink, "has an address outside the app's own domains", s))
		}
		text = strings.Replace(text, s, " ", 1)
	}
	for _, m := range domains.FindAllStringSubmatch(text, 16) {
		host := strings.TrimRight(m[2], ".")
		switch {
		case isAllowed(host, allowed):
			text = strings.Replace(text, m[1]+m[2], " ", 1)
		case isDomain(host):
			out = append(out, problem(CodeLink, "has an address outside the app's own domains", m[1]+host))
		}
	}
	for _, s := range octets.FindAllString(text, 4) {
		if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			out = append(out, problem(CodeLink, "has an internet address", s))
		}
	}
	return out, text
}

const topLevel = `com|net|org|info|biz|edu|gov|mil|int|io|co|ai|dev|app|xyz|top|site|online|shop|store|tech|club|live|link|click|ly|gg|tk|ml|ga|cf|gq|ru|cn|jp|kr|br|uk|de|fr|es|it|nl|be|at|ch|se|no|dk|fi|pl|cz|pt|gr|eu|us|ca|mx|ar|cl|au|nz|in|id|sg|hk|tw|tr|il|ir|ae|za|ng|ke|me|tv|cc|ws|to|im|is|am|fm|sh|so|su|ua|by|kz|ro|hu|sk|si|hr|bg|lt|lv|ee|ie|lu|mt|pw|icu|buzz|space|website|fun|host|cloud|page|web|win|bid|loan|men|party|download|stream|zip|mov|onion|example|test|invalid|local|localhost|internal|lan|рф`

var (
	urls    = regexp.MustCompile(`\b(?:[a-z][a-z0-9+.-]{1,15}:/{1,3}|hxxps?:|www\d?\.|mailto:|javascript:|data:[a-z]+/|file:|ftp:)[^\s"'<>]*|//[\pL\pN-]+\.[^\s"'<>]+`)
	domains = regexp.MustCompile(`(^|[^\pL\pN._-]|@|[\pL\pN._%+-]+@)((?:[\pL\pN](?:[\pL\pN_-]{0,61})\.)+(?:` + topLevel + `|xn--[a-z0-9-]+))(?:$|[^\pL\pN-])`)
	octets  = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b|\[?\b[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){4,7}\]?|\[?[0-9a-f]{1,4}:{1,2}(?:[0-9a-f]{1,4}:{1,2}){2,6}[0-9a-f]{1,4}\]?`)
	spelled = each(
		`[\pL\pN-]+ ?[\[({<]? ?\b(dot|punkt|punto|ponto|точка|d0t)\b ?[\])}>]? ?(com|net|org|io|info|biz|ru|cn|de|fr|es|xyz|site|online|top|dev|app|co|example|link|evil)\b`,
		`[\pL\pN-]+ ?\[ ?[.·,] ?\] ?[\pL\pN-]+|[\pL\pN-]+ ?\( ?\. ?\) ?[\pL\pN-]+`,
		`[\pL\pN-]{2,} (\. ?|\.? )(com|net|org|io|xyz|biz|ru)\b`, `[\pL\pN-]{2,}\. (com|net|org|xyz|ru)\b`,
		`[\pL\pN.-]+ ?[\[({] ?(at|@) ?[\])}] ?[\pL\pN.-]+`, `\bh ?t ?t ?p ?s? ?: ?/ ?/`, `\bhttps?\b( |:|\[)`, `@ ?[\pL\pN-]+ \. ?[a-z]{2,}`, `[\pL\pN]+@[\pL\pN]+`, `[\pL\pN-]+ at [\pL\pN-]+ dot [\pL\pN]+`, `[\pL\pN-]+[·•。,](com|net|org|xyz|io|ru)\b`,
		`\bslash slash\b`, `\bcolon slash\b`, `\bdouble.?u double.?u\b`)
	markup = each(
		`!\[`, `\[[^\]]{0,100}\] ?\(`, `\[[^\]]{0,60}\]: ?\S`,
		`~~~`,
		`</?(a|img|script|iframe|style|svg|div|span|b|i|u|p|br|form|input|button|link|meta|object|embed|video|audio|body|head|html|h[1-6]|table|tr|td|th|ul|ol|li|font|marquee|base|math|details|textarea|select|applet|frame|picture|source|strong|em|code|pre)\b[^>]*/?>?`,
		`<!--`, `<[!?]`, `\bon(error|load|click|mouseover|focus)\s?=`, `\bsrc\s?=`, `\bhref\s?=`)
)

// isDomain tells a domain from numbers with a unit and from product names.
func isDomain(host string) bool {
	if slices.Contains([]string{"asp.net", "vb.net", "ado.net", "ml.net"}, host) {
		return false
	}
	return strings.ContainsFunc(host[:strings.LastIndexByte(host, '.')], unicode.IsLetter)
}

// hostOf is the host of an address as folded text writes it: what follows the
// scheme and the last @, up to a port, path or query.
func hostOf(s string) string {
	_, rest, ok := strings.Cut(s, "//")
	if !ok {
		if strings.HasPrefix(s, "www.") {
			rest = s
		} else if _, after, found := strings.Cut(s, "mailto:"); found {
			rest = after
		}
	}
	rest = strings.TrimLeft(rest, "/")
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if i := strings.IndexByte(rest, ':'); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimRight(rest, ".,;!)")
}

func isAllowed(host string, allowed []string) bool {
	for _, a := range allowed {
		a = strings.ToLower(strings.TrimSpace(a))
		if a != "" && (host == a || strings.HasSuffix(host, "."+a)) {
			return true
		}
	}
	return false
}

// encoded reports text that hides what it says: base64, hex, escapes, entities,
// binary, Morse.
func encoded(text string) []Problem {
	var out []Problem
	if s := escapes.find(look(text)); s != "" {
		out = append(out, problem(CodeEncoded, "has encoded text", s))
	}
	for _, s := range runs.FindAllString(text, 32) {
		if dense(s) || decodes(s) {
			out = append(out, problem(CodeEncoded, "has encoded text", s))
		}
	}
	return out
}

var (
	escapes = each(`(?:%[0-9a-fA-F]{2}){3,}`, `(?:\\u\{?[0-9a-fA-F]{2,6}\}?\s?){3,}`, `(?:\\x[0-9a-fA-F]{2}\s?){3,}`, `(?:&#x?[0-9a-fA-F]{2,6};\s?){3,}`,
		`(?:\b[01]{7,8}\b\s?){3,}`, `(?:[.-]{1,5}[ /]+){6,}[.-]{1,5}`, `(?:\b[0-9a-fA-F]{2}\b[ :]){7,}[0-9a-fA-F]{2}\b`, `(?:\b(?:[4-9]\d|1[0-2]\d)\b[ ,]+){8,}`)
	runs = regexp.MustCompile(`[A-Za-z0-9+/_-]{12,}={0,2}`)
)

// dense reports whether a run of 24 or more characters has the mixture of
// cases and digits of encoded bytes; long compounds and paths have not.
func dense(s string) bool {
	if len(s) < 24 {
		return false
	}
	changes, digits, upper, lower := 0, 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
			if i > 0 && s[i-1] >= 'a' && s[i-1] <= 'z' {
				changes++
			}
		case c >= 'a' && c <= 'z':
			lower++
		}
	}
	letters := strings.Trim(s, "=")
	hex := strings.Trim(letters, "0123456789abcdefABCDEF") == "" && digits > 0 && upper+lower > 0
	separators := strings.Count(s, "-") + strings.Count(s, "/") + strings.Count(s, "_")
	return hex || strings.HasSuffix(s, "=") || changes >= 3 && separators < 3 || digits >= 4 && upper >= 2 && lower >= 2 || digits >= 6 && upper+lower >= 6 && separators < 3
}

// decodes reports whether s is base64 of plain text.
func decodes(s string) bool {
	s = strings.TrimRight(s, "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		if b, err = base64.RawURLEncoding.DecodeString(s); err != nil {
			return false
		}
	}
	letters := 0
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
		if c >= 'a' && c <= 'z' || c == ' ' {
			letters++
		}
	}
	return len(b) >= 8 && letters*3 >= len(b)*2
}
