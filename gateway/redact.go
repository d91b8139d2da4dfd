package gateway

import (
	"regexp"

	"heed/store"
)

// redactRow takes secrets out of the texts of a row. The old ones may still be
// read by others (the response that is being written), so that they are left
// alone.
func redactRow(x *store.Exchange, custom []*regexp.Regexp) {
	text := func(s string) string { return string(store.Redact([]byte(s), custom)) }
	x.Request, x.Response = store.Redact(x.Request, custom), store.Redact(x.Response, custom)
	x.Answer, x.Query = text(x.Answer), text(x.Query)
	queries := make([]string, len(x.Facts.Queries))
	for i, q := range x.Facts.Queries {
		queries[i] = text(q)
	}
	x.Facts.Queries = queries
}
