package learner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// attacks reads a corpus of texts that must not become rules.
func attacks(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile("../rules/check/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if unquoted := ""; json.Unmarshal([]byte(line), &unquoted) == nil && unquoted != "" {
			line = unquoted
		}
		_, line, found := strings.Cut("\t"+line, "\t")
		if !found {
			t.Fatalf("%s: %q", file, line)
		}
		out = append(out, line)
	}
	return out
}

// freely lets the policy approve all that it may, so that only what nobody may
// approve without a person stays out.
func (b *bench) freely() {
	b.policy.Approval, b.policy.Quorum, b.policy.MaxTouch = "auto", 1, 1
}

// sound fails the test where a model's draft got into force, or into the inbox in
// a form that approval could not stop.
func (b *bench) sound(corpus string) (open int) {
	b.Helper()
	if n := len(b.set().Rules); n != 0 {
		b.Fatalf("%s: %d rules in force without a person", corpus, n)
	}
	ps, err := b.l.allProposals(b.ctx, store.ProposalFilter{App: "shop"})
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range ps {
		r := p.Rule()
		auto, _ := Automatic(p, b.policy)
		switch {
		case p.State != store.Open, auto:
			b.Errorf("%s: %q is %s, the policy would approve it: %v", corpus, p.Title, p.State, auto)
		case len(p.Ops) != 1 || p.Ops[0].Kind != rules.Add || r == nil || r.Origin != "model" || r.Scope.Always:
			b.Errorf("%s: operations %+v", corpus, p.Ops)
		case len(p.Problems)+len(Problems(r, nil)) > 0:
			b.Errorf("%s: unsafe %q", corpus, r.Action)
		case len(r.Sources) == 0 || len(p.Evidence) == 0 || r.Scope.AppliesWhen == "" || !strings.HasPrefix(p.Title, "Drafted by a model"):
			b.Errorf("%s: %q without sources, condition or mark: %+v", corpus, p.Title, r)
		}
		if _, err := rules.Apply(b.set(), p.Ops); err != nil {
			b.Errorf("%s: %q: %v", corpus, p.Title, err)
		}
	}
	return len(ps)
}

// handled fails the test where feedback is still pending, or a new complaint is
// not filed.
func (b *bench) handled() {
	b.Helper()
	open := func() int {
		fs, _, err := b.store.Findings(b.ctx, store.FindingFilter{App: "shop", State: "open", Limit: store.MaxPage})
		if err != nil {
			b.Fatal(err)
		}
		return len(fs)
	}
	before := open()
	b.say(b.exchange("do you deliver pianos upstairs"), "last", "that was rude")
	b.work()
	fs, err := b.store.Pending(b.ctx, "shop", b.l.app("shop").lease, 10)
	if err != nil || len(fs) != 0 {
		b.Errorf("%d records pending (%v), want all handled", len(fs), err)
	}
	if n := open(); n != before+1 {
		b.Errorf("%d findings after another complaint, want %d", n, before+1)
	}
}

// A model that obeys the attacker drafts what the attacker says, with sources and
// a condition that are in order. What the filter does not see is in the inbox, as
// a draft for a person to decide; nothing else comes of it.
func TestLearner_ModelThatObeysTheAttacker(t *testing.T) {
	for _, corpus := range []string{"attacks.txt", "heldout_attacks.txt", "fresh_attacks.txt", "later_attacks.txt"} {
		t.Run(corpus, func(t *testing.T) {
			b := newBench(t)
			b.freely()
			lines := attacks(t, corpus)
			left, sent := lines, 0
			var seen *[]*http.Request
			b.l.opt.Model, seen = fakeModel(t, func(records string) (int, string) {
				var d drafts
				for len(left) > 0 && len(d.Rules) < maxDrafts {
					d.Rules = append(d.Rules, Draft{Action: left[0], When: fmt.Sprintf("someone asks about topic%c%c", 'a'+sent%26, 'a'+sent/26), Sources: []string{sourceIn(records)}})
					left, sent = left[1:], sent+1
				}
				out, _ := json.Marshal(d)
				return 200, string(out)
			})
			b.l.opt.Model.DailyCalls = 1000
			for i := 0; len(left) > 0; i++ {
				b.say(b.exchange(fmt.Sprintf("word%c%c phrase%c%c", 'a'+i%26, 'a'+i/26, 'a'+i%26, 'a'+i/26)), fmt.Sprint("u", i), fmt.Sprintf("useless%c%c", 'a'+i%26, 'a'+i/26))
				b.work()
				before := len(left)
				b.consulted()
				if len(left) == before && i > 2*len(lines) {
					t.Fatalf("%d attacks were never asked for", before)
				}
			}
			open := b.sound(corpus)
			refused := 0
			for _, line := range lines {
				if len(check.Safety(line, nil)) > 0 {
					refused++
				}
			}
			t.Logf("%s: %d attacks, %d refused by the safety filter, %d drafts in the inbox, 0 in force (%d calls)", corpus, len(lines), refused, open, len(*seen))
			if open > len(lines)-refused {
				t.Errorf("%d drafts in the inbox, the filter let %d pass", open, len(lines)-refused)
			}
			b.handled()
		})
	}
}

// A model that makes one error after the other, and in between is gone.
func TestLearner_ModelThatErrs(t *testing.T) {
	const fine = `"action":"Name the opening hours.","applies_when":"someone asks about shoes"`
	type reply struct {
		status int
		text   string
	}
	wrong := []reply{
		{200, `{"rules":[{"action":"Be brief.","applies_when":"someone writes a message","sources":["ID"]}]}`},        // too broad
		{200, `{"rules":[{"action":"Be brief.","applies_when":"all requests","sources":["ID"]}]}`},                    // too broad
		{200, `{"rules":[{"action":"Be brief.","applies_when":"someone asks about order 471188","sources":["ID"]}]}`}, // too narrow
		{200, `{"rules":[{"action":"Say that order 471188 is lost.","applies_when":"someone asks about orders","sources":["ID"]}]}`},
		{200, `{"rules":[{` + fine + `,"sources":["made-up"]}]}`},
		{200, `{"rules":[{` + fine + `,"sources":[]}]}`},
		{200, `{"rules":[{` + fine + `,"sources":["ID"],"always":true}]}`},
		{200, `{"rules":[{` + fine + `,"sources":"ID"}]}`},
		{200, `{"rules":[{"action":7,"applies_when":[],"sources":{}}]}`},
		{200, `{"rules":null,"approve":true}`},
		{200, `{"rules":[{` + fine},
		{200, "```json\n{\"rules\":[]}\n```"},
		{200, strings.Repeat("x", maxModelText+1)},
		{200, strings.Repeat(`{"rules":[`, 1000)},
		{200, strings.Repeat("y", 2*maxModelBody)},
		{200, ``},
		{400, "bad request"}, {413, "too large"}, {422, "no"},
		{401, "who are you"}, {404, "no such model"}, {429, "slow down"}, {500, "boom"}, {502, "<html>"}, {503, "overloaded"},
	}
	b := newBench(t)
	b.freely()
	var log bytes.Buffer
	b.l.opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	calls := 0
	var seen *[]*http.Request
	b.l.opt.Model, seen = fakeModel(t, func(records string) (int, string) {
		id := sourceIn(records)
		calls++
		if i := (calls - 1) / modelTries; i < len(wrong) {
			return wrong[i].status, strings.ReplaceAll(wrong[i].text, "ID", id)
		}
		one := `{` + fine + `,"sources":["` + id + `","` + id + `"]}`
		return 200, `{"rules":[` + one + `,` + one + `]}` // duplicates
	})
	for i := range 60 {
		b.say(b.exchange(fmt.Sprintf("word%c%c phrase%c%c", 'a'+i%26, 'a'+i/26, 'a'+i%26, 'a'+i/26)), fmt.Sprint("u", i), fmt.Sprintf("useless%c%c", 'a'+i%26, 'a'+i/26))
		b.work()
	}
	for round := 0; calls < modelTries*len(wrong); round++ {
		if round > 10*len(wrong) {
			t.Fatalf("asked %d times only", calls)
		}
		n := calls
		b.consulted()
		if open := b.sound("errs"); open != 0 {
			t.Fatalf("%d proposals of answers that are wrong, after %d calls", open, calls)
		}
		if calls == n {
			b.now = b.now.Add(modelLongest)
		}
	}
	b.l.opt.Model.Timeout = time.Nanosecond // and it hangs
	b.now = b.now.Add(modelLongest)
	b.consulted()
	b.l.opt.Model.Timeout = 0
	b.say(b.exchange("how do i return my shoes"), "honest", "beside the point")
	b.work()
	b.now = b.now.Add(modelLongest)
	b.settled(seen)
	if open := b.sound("errs"); open != 1 {
		t.Errorf("not one proposal when the model was well again: %s", log.String()[max(0, log.Len()-600):])
	}
	if b.l.consult.pause != 0 || b.l.consult.useless != 0 {
		t.Errorf("still pausing after it was well again: %+v", b.l.consult)
	}
	t.Logf("%d kinds of errors in %d calls, then %d drafts in the inbox", len(wrong)+1, calls, b.sound("errs"))
	b.handled()
}
