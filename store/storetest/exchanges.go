package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"heed/store"
)

var exchangeCases = []Case{
	{"WriteExchanges/Whole", "WriteExchanges adds the exchanges of each app as a whole (MaxBatchRecords, or MaxBatchBytes, at a time); of a batch of several apps some may be added and others not.", func(t *testing.T, s store.Store) {
		xs := make([]*store.Exchange, store.MaxBatchRecords+7)
		for i := range xs {
			xs[i] = exchange("shop", i)
		}
		ok(t, s.WriteExchanges(t.Context(), xs))
		if got := list(t, s, store.ExchangeFilter{App: "shop", Limit: store.MaxPage}); len(got) != len(xs) {
			t.Fatalf("got %d exchanges, want %d", len(got), len(xs))
		}
	}},
	{"WriteExchanges/Again", "An id that is there already is left as it is, so a batch can be written again after an error.", func(t *testing.T, s store.Store) {
		xs := exchanges(t, s, "shop", 70)
		again := make([]*store.Exchange, 0, len(xs)+1)
		for _, x := range xs {
			c := *x
			c.Answer, c.Response = "forged", []byte("forged")
			again = append(again, &c)
		}
		fresh := exchange("shop", 70)
		again = append(again, fresh, fresh)
		ok(t, s.WriteExchanges(t.Context(), again))
		got := list(t, s, store.ExchangeFilter{App: "shop"})
		if len(got) != 71 {
			t.Fatalf("got %d exchanges, want 71", len(got))
		}
		x, err := s.Exchange(t.Context(), "shop", xs[12].ID)
		ok(t, err)
		same(t, x, xs[12])
		x, err = s.Exchange(t.Context(), "shop", fresh.ID)
		ok(t, err)
		same(t, x, fresh)
	}},
	{"WriteExchanges/Reopen", "Up to one second of it may be lost by kill -9 or power loss; a gap found at the next start is recorded (Gaps).", func(t *testing.T, s store.Store) {
		xs := exchanges(t, s, "shop", 3)
		ok(t, s.NoteGap(t.Context(), "shop", 2))
		s = reopen(t, s)
		x, err := s.Exchange(t.Context(), "shop", xs[1].ID)
		ok(t, err)
		same(t, x, xs[1])
		n, err := s.Gaps(t.Context(), "shop")
		ok(t, err)
		same(t, n, int64(2)) // a clean Close is no gap
	}},
	{"WriteExchanges/Skip", "One exchange that cannot be encoded does not stop the others: it is skipped and named in the error, a *SkippedError.", func(t *testing.T, s store.Store) {
		good, bad, after := exchange("shop", 0), exchange("shop", 1), exchange("shop", 2)
		bad.Decision.Rules[0].Propensity = math.NaN()
		err := s.WriteExchanges(t.Context(), []*store.Exchange{good, bad, after})
		var skipped *store.SkippedError
		if !errors.As(err, &skipped) || !slices.Equal(skipped.IDs, []string{bad.ID}) || !strings.Contains(err.Error(), bad.ID) {
			t.Fatalf("got error %v, want a SkippedError that names %s", err, bad.ID)
		}
		same(t, exchangeIDs(list(t, s, store.ExchangeFilter{App: "shop"})), []string{after.ID, good.ID})
	}},
	{"WriteExchanges/Cut", "Bodies, query and answer are cut to their limits.", func(t *testing.T, s store.Store) {
		x := exchange("shop", 0)
		x.Query, x.Answer = strings.Repeat("é", store.MaxQueryBytes), strings.Repeat("€", store.MaxCopyBytes)
		x.Request, x.Response = bytes.Repeat([]byte("q"), store.MaxBodyBytes+5), bytes.Repeat([]byte("a"), store.MaxBodyBytes+5)
		ok(t, s.WriteExchanges(t.Context(), []*store.Exchange{x}))
		got, err := s.Exchange(t.Context(), "shop", x.ID)
		ok(t, err)
		for what, n := range map[string]int{"query": store.MaxQueryBytes - len(got.Query), "answer": store.MaxCopyBytes - len(got.Answer)} {
			if n < 0 || n > 3 {
				t.Fatalf("%s is %d bytes below its limit", what, n)
			}
		}
		if !utf8.ValidString(got.Query) || !utf8.ValidString(got.Answer) {
			t.Fatal("a character was cut in two")
		}
		same(t, [2]int{len(got.Request), len(got.Response)}, [2]int{store.MaxBodyBytes, store.MaxBodyBytes})
		if len(x.Request) != store.MaxBodyBytes+5 {
			t.Fatal("the caller's exchange was changed")
		}
	}},
	{"Exchange", "Exchange returns one exchange with its bodies.", func(t *testing.T, s store.Store) {
		xs := exchanges(t, s, "shop", 130)
		odd := exchange("shop", 131)
		odd.ID, odd.Request = "not a UUID", []byte{0, 0xff, '{'} // foreign bytes come back as they were
		ok(t, s.WriteExchanges(t.Context(), []*store.Exchange{odd}))
		for _, want := range append(xs, odd) {
			got, err := s.Exchange(t.Context(), "shop", want.ID)
			ok(t, err)
			same(t, got, want)
		}
	}},
	{"ExchangeByResponse", "ExchangeByResponse returns the newest exchange whose upstream's answer had that id (chatcmpl-…, resp_…, msg_…).", func(t *testing.T, s store.Store) {
		xs := make([]*store.Exchange, 200)
		for i := range xs {
			xs[i] = exchange("shop", i)
		}
		xs[0].ResponseID, xs[90].ResponseID, xs[30].ResponseID = "resp_1", "resp_1", "resp_1"
		ok(t, s.WriteExchanges(t.Context(), xs[:100]))
		ok(t, s.WriteExchanges(t.Context(), xs[100:]))
		got, err := s.ExchangeByResponse(t.Context(), "shop", "resp_1")
		ok(t, err)
		same(t, got, xs[90])
		_, err = s.ExchangeByResponse(t.Context(), "shop", "resp_2")
		is(t, err, store.ErrNotFound)
		_, err = s.ExchangeByResponse(t.Context(), "shop", "")
		is(t, err, store.ErrNotFound)
	}},
	{"Gaps", "Gaps tells how many exchanges are known to be missing from the log. NoteGap adds n exchanges of the app that were dropped before they reached the store.", func(t *testing.T, s store.Store) {
		for _, n := range []int64{0, 3, 4} {
			ok(t, s.NoteGap(t.Context(), "shop", n))
		}
		n, err := s.Gaps(t.Context(), "shop")
		ok(t, err)
		same(t, n, int64(7))
		n, err = s.Gaps(t.Context(), "unheard-of")
		ok(t, err)
		same(t, n, int64(0))
	}},
}

var listCases = []Case{
	{"Exchanges/Order", `Exchanges lists exchanges newest first, by arrival, then id, without bodies unless the filter asks for them.`, func(t *testing.T, s store.Store) {
		var want []*store.Exchange
		for i := range 300 {
			x := exchange("shop", i/2) // pairs arrive in the same millisecond
			want = append(want, x)
		}
		for part := range 7 { // they end, so are written, in another order than they arrived
			var xs []*store.Exchange
			for i := part; i < len(want); i += 7 {
				xs = append(xs, want[i])
			}
			slices.Reverse(xs)
			ok(t, s.WriteExchanges(t.Context(), xs))
		}
		newestFirst(want)
		for _, limit := range []int{0, 1, 7, 1000} {
			if limit == 1 {
				continue
			}
			same(t, exchangeIDs(list(t, s, store.ExchangeFilter{App: "shop", Limit: limit})), exchangeIDs(want))
		}
		for _, x := range list(t, s, store.ExchangeFilter{App: "shop", Limit: 100}) {
			if x.Request != nil || x.Response != nil {
				t.Fatal("bodies came unasked")
			}
		}
		same(t, list(t, s, store.ExchangeFilter{App: "shop", Limit: 100, Bodies: true}), want)
	}},
	{"Exchanges/Cursor", `next is "" at the end, else the cursor of the next page.`, func(t *testing.T, s store.Store) {
		xs := exchanges(t, s, "shop", 4)
		page, next, err := s.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", Limit: 3})
		ok(t, err)
		same(t, exchangeIDs(page), []string{xs[3].ID, xs[2].ID, xs[1].ID})
		ok(t, s.WriteExchanges(t.Context(), []*store.Exchange{exchange("shop", 9)})) // newer ones do not disturb the walk
		page, next, err = s.Exchanges(t.Context(), store.ExchangeFilter{App: "shop", Limit: 3, After: next})
		ok(t, err)
		same(t, exchangeIDs(page), []string{xs[0].ID})
		same(t, next, "")
	}},
	{"Exchanges/Filters", "All fields of the filter that are set must hold.", func(t *testing.T, s store.Store) {
		xs := make([]*store.Exchange, 150)
		for i := range xs {
			xs[i] = exchange("shop", i)
			vary(xs[i], i)
		}
		ok(t, s.WriteExchanges(t.Context(), xs))
		for name, f := range filters {
			var want []*store.Exchange
			for i, x := range xs {
				if f.selects(i) {
					want = append(want, x)
				}
			}
			newestFirst(want)
			f.ExchangeFilter.App, f.ExchangeFilter.Limit = "shop", 40
			if got := exchangeIDs(list(t, s, f.ExchangeFilter)); !slices.Equal(got, exchangeIDs(want)) {
				t.Errorf("%s: got %d exchanges, want %d: %v", name, len(got), len(want), got)
			}
		}
	}},
	{"Exchanges/Text", "All fields of the filter that are set must hold.", searchText},
}

func newestFirst(xs []*store.Exchange) {
	slices.SortFunc(xs, func(a, b *store.Exchange) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
}

// vary gives the i-th exchange values that the filters below select by.
func vary(x *store.Exchange, i int) {
	x.Session, x.Facts.Unit, x.Facts.User = fmt.Sprint("s", i%11), fmt.Sprint("n", i%13), fmt.Sprint("u", i%17)
	if i%3 == 0 {
		x.Facts.Step, x.Outcome, x.Query = "title", store.Timeout, ""
	}
	if i%5 == 0 {
		x.Facts.Alias, x.Decision.Target.Model, x.Failures = "other", "large", []string{"length", "refusal"}
		x.Decision.Rules[0].ID = "r_other"
	}
}

// filters select by each field and by some together.
var filters = map[string]struct {
	store.ExchangeFilter
	selects func(i int) bool
}{
	"step":    {store.ExchangeFilter{Step: "title"}, func(i int) bool { return i%3 == 0 }},
	"outcome": {store.ExchangeFilter{Outcome: store.Timeout}, func(i int) bool { return i%3 == 0 }},
	"queries": {store.ExchangeFilter{Queries: true}, func(i int) bool { return i%3 != 0 }},
	"session": {store.ExchangeFilter{Session: "s3"}, func(i int) bool { return i%11 == 3 }},
	"unit":    {store.ExchangeFilter{Unit: "n3"}, func(i int) bool { return i%13 == 3 }},
	"user":    {store.ExchangeFilter{User: "u3"}, func(i int) bool { return i%17 == 3 }},
	"alias":   {store.ExchangeFilter{Alias: "other"}, func(i int) bool { return i%5 == 0 }},
	"target":  {store.ExchangeFilter{Target: "main/large"}, func(i int) bool { return i%5 == 0 }},
	"rule":    {store.ExchangeFilter{Rule: "r_other"}, func(i int) bool { return i%5 == 0 }},
	"failure": {store.ExchangeFilter{Failure: "refusal"}, func(i int) bool { return i%5 == 0 }},
	"since":   {store.ExchangeFilter{Since: at(100)}, func(i int) bool { return i >= 100 }},
	"until":   {store.ExchangeFilter{Until: at(100)}, func(i int) bool { return i < 100 }},
	"both":    {store.ExchangeFilter{Since: at(20), Until: at(30), Step: "title"}, func(i int) bool { return i >= 20 && i < 30 && i%3 == 0 }},
	"nothing": {store.ExchangeFilter{Step: "title", Session: "s99"}, func(int) bool { return false }},
	"all":     {store.ExchangeFilter{}, func(int) bool { return true }},
}

// searchText checks words in requests, answers and comments, and across them.
func searchText(t *testing.T, s store.Store) {
	xs := make([]*store.Exchange, 140)
	for i := range xs {
		xs[i] = exchange("shop", i)
		xs[i].Request = fmt.Appendf(nil, `{"messages":[{"role":"user","content":"My parcel\nnumber%d says \"\u00dcberraschung\" — 日本語"}]}`, i)
		xs[i].Answer = fmt.Sprintf("It arrives on day%d.", i)
	}
	ok(t, s.WriteExchanges(t.Context(), xs))
	add(t, s, &store.Feedback{App: "shop", Time: at(0), Source: "api", ExchangeID: xs[5].ID, Comment: "Unfriendly tone"})
	for text, want := range map[string][]int{
		"number7":              {7},
		"NUMBER7 parcel":       {7},
		"number7 day7":         {7},
		"number7 day8":         nil,
		"überraschung number9": {9},
		"日本 number12":          {12},
		"unfriendly":           {5},
		"unfriendly parcel":    {5},
		"unfriendly number6":   nil,
		"number":               nil, // a part of a word is no word
		"?!":                   nil,
	} {
		var ids []string
		for _, i := range want {
			ids = append(ids, xs[i].ID)
		}
		if got := exchangeIDs(list(t, s, store.ExchangeFilter{App: "shop", Text: text})); !slices.Equal(got, ids) {
			t.Errorf("search %q: got %v, want %v", text, got, ids)
		}
	}
	if got := list(t, s, store.ExchangeFilter{App: "shop", Text: "parcel", Limit: 30}); len(got) != len(xs) {
		t.Errorf("search %q: got %d exchanges, want %d", "parcel", len(got), len(xs))
	}
}
