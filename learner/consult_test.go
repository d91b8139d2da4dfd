package learner

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"heed/store"
)

// draftAll answers with one rule that cites every record.
func draftAll(records, action, when string) string {
	var said []Said
	_ = json.Unmarshal([]byte(records), &said)
	var d Draft
	d.Action, d.When = action, when
	for _, s := range said {
		d.Sources = append(d.Sources, s.ID)
	}
	b, _ := json.Marshal(drafts{Rules: []Draft{d}})
	return string(b)
}

// settled lets the learner ask until it has nothing to ask for.
func (b *bench) settled(seen *[]*http.Request) {
	b.Helper()
	for {
		n := len(*seen)
		b.consulted()
		if len(*seen) == n {
			return
		}
	}
}

func TestLearner_BadFindingDoesNotBlockOthers(t *testing.T) {
	for name, bad := range map[string]struct {
		status int
		answer string
		asked  int // about the bad one
	}{
		"no use":          {200, "Sure! Here are the rules.", modelTries},
		"refused request": {400, "content filter", modelTries},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			asked := map[bool]int{}
			var seen *[]*http.Request
			b.l.opt.Model, seen = fakeModel(t, func(records string) (int, string) {
				shoes := strings.Contains(records, "shoes")
				asked[shoes]++
				if shoes {
					return bad.status, bad.answer
				}
				return 200, draftAll(records, "Name the opening hours.", "someone asks about the hotline")
			})
			b.say(b.exchange("is the hotline open on sundays"), "u2", "that was rude")
			b.say(b.exchange("how do i return my shoes"), "u1", "useless") // the newest is asked about first
			b.work()
			b.settled(seen)
			if p := b.one(); p.Rule().Action != "Name the opening hours." {
				t.Errorf("proposal %q", p.Title)
			}
			if asked[true] != bad.asked || asked[false] != 1 {
				t.Errorf("asked %d times about the bad finding and %d about the other, want %d and 1", asked[true], asked[false], bad.asked)
			}
			for _, f := range b.findings("open") {
				if f.Asked != 1 {
					t.Errorf("finding %q: asked about %d complaints, want 1", f.Title, f.Asked)
				}
			}
		})
	}
}

// A finding on which the endpoint breaks lets others go first after the pause.
func TestLearner_OutageOfOneFindingLetsOthersGoFirst(t *testing.T) {
	b := newBench(t)
	b.l.opt.Model, _ = fakeModel(t, func(records string) (int, string) {
		if strings.Contains(records, "shoes") {
			return 500, "boom"
		}
		return 200, draftAll(records, "Name the opening hours.", "someone asks about the hotline")
	})
	b.say(b.exchange("is the hotline open on sundays"), "u2", "that was rude")
	b.say(b.exchange("how do i return my shoes"), "u1", "useless")
	b.work()
	b.consulted()
	if n := len(b.proposals(store.Open)); n != 0 {
		t.Fatalf("%d proposals within the pause", n)
	}
	b.now = b.now.Add(modelPause)
	b.consulted()
	b.one()
}

func TestLearner_LikeComplaintsAreNotSentAgain(t *testing.T) {
	b := newBench(t)
	var seen *[]*http.Request
	b.l.opt.Model, seen = fakeModel(t, func(string) (int, string) { return 200, `{"rules":[]}` })
	complain := func(i int, comment string) {
		b.say(b.exchange("how do i return my shoes", func(x *store.Exchange) { x.Facts.Unit = fmt.Sprint(i) }), fmt.Sprint("u", i), comment)
		b.work()
		b.consulted()
	}
	for i := range 30 {
		complain(i, "this was useless again")
	}
	if n := len(*seen); n != 4 {
		t.Errorf("asked %d times about 30 like complaints, want 4: at 1, 4, 8 and 16", n)
	}
	complain(30, "the tone is cold and arrogant")
	if n := len(*seen); n != 5 {
		t.Errorf("asked %d times after a complaint unlike the others, want 5", n)
	}
	complain(31, "cold tone, arrogant")
	if n := len(*seen); n != 5 {
		t.Errorf("asked %d times after another like it, want 5", n)
	}
	b.l.consult = newConsult() // as after a restart
	b.consulted()
	if n := len(*seen); n != 5 {
		t.Errorf("asked %d times after a restart, want 5", n)
	}
	if fs := b.findings("open"); len(fs) != 1 || fs[0].Asked != 31 || len(b.l.consult.failed) != 0 {
		t.Errorf("finding %+v, remembered %v", fs, b.l.consult.failed)
	}
}

func TestLearner_RejectedDraftStaysAway(t *testing.T) {
	b := newBench(t)
	n := 0
	b.l.opt.Model, _ = fakeModel(t, func(records string) (int, string) {
		n++
		action := "Answer the question in the first sentence."
		if n == 2 {
			action = "Call the customer by their first name." // other words for the same complaints
		}
		return 200, draftAll(records, action, "someone asks how to return shoes")
	})
	b.say(b.exchange("how do i return my shoes"), "u1", "beside the point")
	b.work()
	b.consulted()
	p := b.one()
	p.Version, p.State, p.DecidedBy, p.DecidedAt = p.Version+1, store.Rejected, "ann", b.now
	if err := b.store.Commit(b.ctx, store.Changes{App: "shop", Proposals: []*store.Proposal{p}}); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(time.Minute)
	f := b.findings("open")[0]
	f.Version, f.Asked = f.Version+1, 0 // asked again about the very same complaint
	if err := b.store.Commit(b.ctx, store.Changes{App: "shop", Findings: []*store.Finding{f}}); err != nil {
		t.Fatal(err)
	}
	b.consulted()
	for i, said := range []string{"rambling and slow", "missed what was wanted", "cold tone"} {
		if n := len(b.proposals(store.Open)); n != 0 {
			t.Fatalf("%d proposals after %d newer complaints, want the rejection to hold", n, i)
		}
		if i == 2 {
			break
		}
		b.say(b.exchange("how do i return my shoes"), fmt.Sprint("u", i+2), said)
		b.work()
		if i == 0 {
			b.consulted()
		}
	}
	b.consulted()
	if p := b.one(); p.People != 2 || p.Rule().Action != "Answer the question in the first sentence." {
		t.Errorf("after two people complained since: %q with %d people", p.Title, p.People)
	}
}

// A model that never answers does not hold up the end of the program.
func TestLearner_Run_CancelsTheQuestion(t *testing.T) {
	b := newBench(t)
	b.l.opt.Now = time.Now
	asked, left := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that the client leaves
		close(asked)
		<-r.Context().Done()
		close(left)
	}))
	t.Cleanup(srv.Close)
	b.l.opt.Model = &Model{BaseURL: srv.URL + "/v1", Name: "drafter", Timeout: time.Hour}
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	go func() { done <- b.l.Run(ctx) }()
	b.say(b.exchange("how do i return my shoes"), "u1", "useless")
	<-asked
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	<-left
	if fs := b.findings("open"); len(fs) != 1 || fs[0].Asked != 0 {
		t.Errorf("findings %+v, want one to be asked about later", fs)
	}
}

// What the model answered before Run ended is not lost.
func TestLearner_Run_KeepsTheAnswer(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "useless")
	b.work()
	f := b.findings("open")[0]
	said, err := b.l.said(b.ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	b.l.consult.answers <- consultation{app: "shop", lease: b.l.leases.of("shop"), finding: f.ID, count: 1, said: said,
		drafts: []Draft{{Action: "Be brief.", When: "someone asks about shoes", Sources: []string{said[0].ID}}}}
	ended, cancel := context.WithCancel(b.ctx)
	cancel()
	if err := b.l.Run(ended); err != nil {
		t.Fatal(err)
	}
	if p := b.one(); p.Rule().Action != "Be brief." {
		t.Errorf("proposal %q", p.Title)
	}
}

// A person is erased while the model reads what people said: what it drafts of
// that is dropped.
func TestLearner_ErasedMeanwhile_DropsTheDraft(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("how do i return my shoes"), "u1", "useless")
	b.say(b.exchange("how do i return my shirt"), "u2", "useless")
	b.work()
	f := b.findings("open")[0]
	said, err := b.l.said(b.ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	answer := consultation{app: "shop", lease: b.l.leases.of("shop"), finding: f.ID, count: 2, said: said,
		drafts: []Draft{{Action: "Be brief.", When: "someone asks about shoes", Sources: []string{said[0].ID, said[1].ID}}}}
	if _, err := b.store.(store.Eraser).EraseUser(b.ctx, "shop", said[0].ID, nil); err != nil { // whoever it is
		t.Fatal(err)
	}
	if err := b.l.drafted(b.ctx, answer); err != nil {
		t.Fatal(err)
	}
	if ps := b.proposals(store.Open); len(ps) > 0 {
		t.Errorf("proposal %q", ps[0].Title)
	}
	b.work() // finds out,
	b.work() // and leads anew
	answer.lease = b.l.leases.of("shop")
	if err := b.l.drafted(b.ctx, answer); err != nil {
		t.Fatal(err)
	}
	b.one()
}

func TestLearner_SpentWaitsForTheNextDay(t *testing.T) {
	b := newBench(t)
	b.now = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	var seen *[]*http.Request
	b.l.opt.Model, seen = fakeModel(t, func(records string) (int, string) {
		return 200, draftAll(records, "Be brief.", "someone asks about shoes")
	})
	b.l.opt.Model.DailyCalls = 1
	b.say(b.exchange("how do i return my shoes"), "u1", "useless")
	b.say(b.exchange("is the hotline open on sundays"), "u2", "that was rude")
	b.work()
	b.settled(seen)
	b.now = b.now.Add(3 * time.Hour)
	b.settled(seen)
	if n := len(*seen); n != 1 {
		t.Errorf("asked %d times on a day with one call", n)
	}
	b.now = b.now.Add(time.Hour)
	b.settled(seen)
	if n := len(*seen); n != 2 {
		t.Errorf("asked %d times on the second day, want 2", n)
	}
}
