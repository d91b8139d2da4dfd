package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

var feedbackCases = []Case{
	{"AddFeedback/Stored", "AddFeedback commits f durably (fsync) before it returns, gives it a fresh id when it has none, and returns the stored record.", func(t *testing.T, s store.Store) {
		f := said("shop", store.NewID(), "ann", -0.5)
		f.When, f.Correction, f.Labels, f.ResponseID, f.Session = "late", "soon", []string{"tone"}, "resp_1", "s1"
		f.Answers, f.Key, f.Digest = map[string]json.RawMessage{"q": json.RawMessage(`"yes"`)}, "k", "d"
		stored, created, err := s.AddFeedback(t.Context(), f)
		ok(t, err)
		if !created || stored.ID == "" || f.ID != "" {
			t.Fatalf("created %v, id %q, the caller's id %q", created, stored.ID, f.ID)
		}
		want := *f
		want.ID = stored.ID
		same(t, stored, &want)
		s = reopen(t, s)
		got, err := s.FeedbackByID(t.Context(), "shop", stored.ID)
		ok(t, err)
		same(t, got, &want)
	}},
	{"AddFeedback/Key", "With f.Key set, the same key and Digest again returns the first record and created false; another Digest is ErrReused, and so is an ID that is there already.", func(t *testing.T, s store.Store) {
		f := said("shop", store.NewID(), "ann", 1)
		f.Key, f.Digest = "order-1", "d1"
		first := add(t, s, f)
		again, created, err := s.AddFeedback(t.Context(), f)
		ok(t, err)
		same(t, created, false)
		same(t, again, first)
		f.Digest = "d2"
		_, _, err = s.AddFeedback(t.Context(), f)
		is(t, err, store.ErrReused)
		g := said("shop", "", "ann", 1)
		g.ID = first.ID
		_, _, err = s.AddFeedback(t.Context(), g)
		is(t, err, store.ErrReused)
		other := said("other", "", "ann", 1)
		other.Key, other.Digest = "order-1", "d2" // unique per app only
		add(t, s, other)
		add(t, s, said("shop", "", "ann", 1)) // without a key nothing is compared
		add(t, s, said("shop", "", "ann", 1))
	}},
	{"AddFeedback/NoExchange", "The exchange need not exist yet.", func(t *testing.T, s store.Store) {
		add(t, s, said("shop", store.NewID(), "ann", 1))
	}},
	{"AddFeedback/Supersedes", "Later feedback of the same person on the same exchange sets SupersededBy on the earlier one; both are kept. " +
		"The same person is the same User, or no User with the same Source: whoever holds an exchange's token speaks for one person.", func(t *testing.T, s store.Store) {
		x, y := store.NewID(), store.NewID()
		anyone := said("shop", x, "", 1)
		anyone.Source = "widget"
		first, ben, elsewhere := add(t, s, said("shop", x, "ann", -1)), add(t, s, said("shop", x, "ben", -1)), add(t, s, said("shop", y, "ann", -1))
		nobody, widget := add(t, s, said("shop", x, "", -1)), add(t, s, anyone)
		second := add(t, s, said("shop", x, "ann", 1))
		third := add(t, s, said("shop", x, "ann", 0.5))
		last := add(t, s, anyone)
		add(t, s, said("other", x, "ben", 1))
		for _, c := range []struct{ id, by string }{
			{first.ID, second.ID}, {second.ID, third.ID}, {third.ID, ""}, {ben.ID, ""}, {elsewhere.ID, ""}, {nobody.ID, ""}, {widget.ID, last.ID},
		} {
			f, err := s.FeedbackByID(t.Context(), "shop", c.id)
			ok(t, err)
			same(t, f.SupersededBy, c.by)
		}
	}},
	{"AddFeedback/TooLarge", "A text above MaxTextBytes is ErrTooLarge.", func(t *testing.T, s store.Store) {
		long := strings.Repeat("x", store.MaxTextBytes)
		add(t, s, &store.Feedback{App: "shop", Comment: long, When: long, Correction: long})
		for _, f := range []store.Feedback{{Comment: long + "x"}, {When: long + "x"}, {Correction: long + "x"}} {
			f.App = "shop"
			_, _, err := s.AddFeedback(t.Context(), &f)
			is(t, err, store.ErrTooLarge)
		}
	}},
	{"AddFeedback/Time", "A record without a Time gets the present.", func(t *testing.T, s store.Store) {
		before := time.Now().Add(-time.Second)
		f := add(t, s, &store.Feedback{App: "shop", Comment: "hello"})
		if f.Time.Before(before) || f.Time.After(time.Now().Add(time.Second)) {
			t.Fatalf("got time %v, want about %v", f.Time, before)
		}
	}},
	{"FeedbackByID", "FeedbackByID returns one record.", func(t *testing.T, s store.Store) {
		f := add(t, s, said("shop", "", "ann", 1))
		got, err := s.FeedbackByID(t.Context(), "shop", f.ID)
		ok(t, err)
		same(t, got, f)
	}},
	{"Feedback/List", "Feedback lists records, newest first. All fields of the filter that are set must hold; retracted and superseded records are listed too.", func(t *testing.T, s store.Store) {
		var fs []*store.Feedback
		for i := range 30 {
			f := said("shop", fmt.Sprint("x", i%3), fmt.Sprint("u", i%5), float64(i%2*2-1))
			f.Time, f.Session = at((i*7)%30), fmt.Sprint("s", i%4)
			if i%6 == 0 {
				f.Comment, f.Correction = "Too long", "Brevity, Zoë."
			}
			fs = append(fs, add(t, s, f))
		}
		ok(t, s.Retract(t.Context(), "shop", fs[4].ID))
		for i, f := range fs {
			if i%9 == 0 {
				commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: f.ID, Aside: true, Note: "it broke"}}})
			}
		}
		for name, c := range map[string]struct {
			f       store.FeedbackFilter
			selects func(i int) bool
		}{
			"all":      {store.FeedbackFilter{}, func(int) bool { return true }},
			"exchange": {store.FeedbackFilter{Exchange: "x1"}, func(i int) bool { return i%3 == 1 }},
			"session":  {store.FeedbackFilter{Session: "s2"}, func(i int) bool { return i%4 == 2 }},
			"user":     {store.FeedbackFilter{User: "u2"}, func(i int) bool { return i%5 == 2 }},
			"since":    {store.FeedbackFilter{Since: at(20)}, func(i int) bool { return i*7%30 >= 20 }},
			"bad":      {store.FeedbackFilter{Bad: true}, func(i int) bool { return i%2 == 0 }},
			"text":     {store.FeedbackFilter{Text: "long BREVITY zoë"}, func(i int) bool { return i%6 == 0 }},
			"both":     {store.FeedbackFilter{Exchange: "x1", User: "u2"}, func(i int) bool { return i%3 == 1 && i%5 == 2 }},
			"aside":    {store.FeedbackFilter{Aside: true}, func(i int) bool { return i%9 == 0 }},
			"aside of": {store.FeedbackFilter{Aside: true, User: "u4"}, func(i int) bool { return i%9 == 0 && i%5 == 4 }},
			"no word":  {store.FeedbackFilter{Text: "…"}, func(int) bool { return false }},
		} {
			var want []string
			order := slices.Clone(fs)
			slices.SortFunc(order, func(a, b *store.Feedback) int { return b.Time.Compare(a.Time) })
			for _, f := range order {
				if c.selects(slices.Index(fs, f)) {
					want = append(want, f.ID)
				}
			}
			c.f.App, c.f.Limit = "shop", 4
			got, err := pages(func(after string) ([]*store.Feedback, string, error) {
				c.f.After = after
				return s.Feedback(t.Context(), c.f)
			})
			ok(t, err)
			if !slices.Equal(feedbackIDs(got), want) {
				t.Errorf("%s: got %v, want %v", name, feedbackIDs(got), want)
			}
		}
	}},
	{"Retract", "Retract marks the record as taken back, durably, and makes it Pending again so that the learner re-derives what rested on it. Again is no error.", func(t *testing.T, s store.Store) {
		f := add(t, s, said("shop", "", "ann", 1))
		handle(t, s, f.ID)
		ok(t, s.Retract(t.Context(), "shop", f.ID))
		s = reopen(t, s)
		ps := Pending(t, s, "shop", 10)
		if len(ps) != 1 || ps[0].ID != f.ID || ps[0].Retracted.IsZero() {
			t.Fatalf("pending after the retraction: %+v", ps)
		}
		handle(t, s, f.ID)
		ok(t, s.Retract(t.Context(), "shop", f.ID))
		again, err := s.FeedbackByID(t.Context(), "shop", f.ID)
		ok(t, err)
		same(t, again.Retracted, ps[0].Retracted)
	}},
	{"Ratings", "Ratings sums the linked, unretracted, unsuperseded ratings per alias, step and target: above 0 counts as good, below as bad.", func(t *testing.T, s store.Store) {
		link := func(f *store.Feedback, step, model string) {
			commit(t, s, store.Changes{App: f.App, Handled: []store.Handled{{Feedback: f.ID, Link: &store.Link{
				ExchangeID: store.NewID(), Alias: "support", Step: step, Target: rules.TargetDecision{Upstream: "main", Model: model},
			}}}})
		}
		rate := func(r float64) *store.Feedback { return add(t, s, said("shop", "", "ann", r)) }
		for _, r := range []float64{1, 0.2, -1, 0} {
			link(rate(r), "answer", "small")
		}
		link(rate(-0.1), "title", "large")
		rate(1) // not linked
		taken := rate(1)
		link(taken, "answer", "small")
		ok(t, s.Retract(t.Context(), "shop", taken.ID))
		x := store.NewID()
		earlier := add(t, s, said("shop", x, "ben", 1))
		add(t, s, said("shop", x, "ben", -1))
		link(earlier, "answer", "small")
		words := add(t, s, &store.Feedback{App: "shop", Comment: "no rating"})
		link(words, "answer", "small")
		link(add(t, s, said("other", "", "ann", 1)), "answer", "small")
		got, err := s.Ratings(t.Context(), "shop")
		ok(t, err)
		same(t, got, []store.TargetRating{
			{Alias: "support", Step: "answer", Upstream: "main", Model: "small", Good: 2, Bad: 1},
			{Alias: "support", Step: "title", Upstream: "main", Model: "large", Bad: 1},
		})
	}},
}

// handle takes the record as the learner does.
func handle(t testing.TB, s store.Store, id string) {
	t.Helper()
	Pending(t, s, "shop", 100)
	commit(t, s, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: id}}})
}
