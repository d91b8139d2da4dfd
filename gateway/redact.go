package gateway

import (
	"bytes"
	"regexp"

	"heed/store"
)

// secretText is what redacted bodies leave out: mail addresses, keys with a
// well-known prefix, bearer tokens, and runs of seven or more digits with the
// usual separators (telephone, card and account numbers). It is a net with holes:
// names and addresses pass.
var secretText = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+` +
	`|\b(?:sk|pk|rk|ghp|gho|xox[abp]|AKIA|AIza)[-_A-Za-z0-9]{12,}` +
	`|\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}\b` +
	`|\+?[0-9](?:[ ()./-]{0,2}[0-9]){6,}`)

// redact replaces secret texts inside the strings of JSON, or of JSON in an event
// stream; what stands outside of strings, such as numbers, stays.
func redact(b []byte) []byte {
	var out []byte
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return append(out, b...)
		}
		n := i + 1
		for n < len(b) && b[n] != '"' {
			if b[n] == '\\' {
				n++
			}
			n++
		}
		n = min(n, len(b))
		out = append(out, b[:i+1]...)
		out = append(out, secretText.ReplaceAll(b[i+1:n], []byte(redacted))...)
		b = b[n:]
		if len(b) > 0 {
			out, b = append(out, b[0]), b[1:]
		}
	}
}

func redactText(s string) string { return secretText.ReplaceAllString(s, redacted) }

// redactRow replaces the texts of a row. The old ones may still be read by others
// (the response that is being written), so that they are left alone.
func redactRow(x *store.Exchange) {
	x.Request, x.Response = redact(x.Request), redact(x.Response)
	x.Answer, x.Query = redactText(x.Answer), redactText(x.Query)
	queries := make([]string, len(x.Facts.Queries))
	for i, q := range x.Facts.Queries {
		queries[i] = redactText(q)
	}
	x.Facts.Queries = queries
}
