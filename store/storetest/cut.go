package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"heed/store"
)

var cutCases = []Case{
	{"WriteExchanges/CutShort", "WriteExchanges adds the exchanges of each app as a whole (MaxBatchRecords, or MaxBatchBytes, at a time); of a batch of several apps some may be added and others not. " +
		"All respect ctx: a cancelled call returns its error, and a change then either happened as a whole or not at all. " +
		"What they return belongs to the caller; what they are given is not kept or changed after they return.", cutShort},
}

// cutShort ends writes of two apps at many moments and spoils what was given as
// soon as they return.
func cutShort(t *testing.T, s store.Store) {
	apps := []string{"shop", "bank"}
	const rounds, each = 24, 150 // more than one chunk of any backend
	var given [][]*store.Exchange
	ended := 0
	for n := range rounds {
		var xs, own []*store.Exchange
		for i := range each {
			x := exchange(apps[i%3%2], n*each+i)
			c := *x
			c.Request, c.Response = append([]byte(nil), x.Request...), append([]byte(nil), x.Response...)
			xs, own = append(xs, x), append(own, &c)
		}
		ctx, stop := context.WithTimeout(context.Background(), time.Duration(n)*400*time.Microsecond)
		err := s.WriteExchanges(ctx, own)
		stop()
		for _, x := range own {
			x.Request[0], x.Response[0], x.Answer = 'X', 'X', "spoilt"
		}
		if errors.Is(err, context.DeadlineExceeded) {
			ended++
		} else if err != nil {
			t.Fatal(err)
		}
		given = append(given, xs)
	}
	if ended == 0 {
		t.Fatal("no write was cut short: the case tests nothing")
	}
	ok(t, s.WriteExchanges(t.Context(), []*store.Exchange{exchange("shop", rounds*each), exchange("bank", rounds*each)})) // after what was still under way
	for n, xs := range given {
		there, of := map[string]int{}, map[string]int{}
		for _, x := range xs {
			of[x.App]++
			got, err := s.Exchange(t.Context(), x.App, x.ID)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			ok(t, err)
			same(t, got, x)
			there[x.App]++
		}
		for app, k := range there {
			if k != of[app] {
				t.Errorf("write %d: %d of the %d exchanges of app %q are there, want all or none", n, k, of[app], app)
			}
		}
		ok(t, s.WriteExchanges(t.Context(), xs))
	}
	for _, app := range apps {
		want := 1
		for _, xs := range given {
			for _, x := range xs {
				if x.App == app {
					want++
				}
			}
		}
		if got := len(list(t, s, store.ExchangeFilter{App: app, Limit: store.MaxPage})); got != want {
			t.Errorf("app %q has %d exchanges after all were written again, want %d", app, got, want)
		}
	}
}
