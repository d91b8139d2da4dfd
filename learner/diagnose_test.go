package learner

import (
	"os"
	"strings"
	"testing"

	"heed/rules/check"
	"heed/store"
	"heed/wire"
)

func TestDiagnose_LabelledCases(t *testing.T) {
	file, err := os.Open("testdata/diagnose.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cases, err := ReadLabelled(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Fatalf("%d cases, want at least 60", len(cases))
	}
	for i := range cases {
		c := &cases[i]
		got := Diagnose(c.Case())
		if got.Kind == c.Want {
			continue
		}
		t.Logf("case %d (%q, correction %q): %s, want %s", i+1, c.Comment, c.Correction, got.Kind, c.Want)
		if c.Want == Outage || got.Kind == Instructs && (c.Want == Retrieval || c.Want == MissingFact) {
			t.Errorf("case %d: %s for %s must never happen", i+1, got.Kind, c.Want)
		}
	}
	m := Confuse(cases)
	right, of := m.Right()
	t.Logf("%d of %d right\n%s", right, of, m)
	if share := float64(right) / float64(of); of != len(cases) || share < 0.9 {
		t.Errorf("%d of %d cases right, want 90 %%", right, len(cases))
	}
}

// A correction whose words the model had read is a finding that says so and suggests
// a wording: it holds no instruction, and what it claims may cease to be true.
func TestDiagnose_CorrectionThatTheModelHadRead(t *testing.T) {
	c := Labelled{Correction: "Hold the reset button for ten seconds.", Query: "how do i reset the router", Answer: "Please restart it.",
		System: "Manual: to reset, hold the reset button for ten seconds until the light blinks."}
	d := Diagnose(c.Case())
	title := findingTitle(d, store.Evidence{Query: c.Query, Correction: c.Correction})
	suggests := Suggest(c.Case().Feedback, d)
	if d.Kind != NoInstruction || !strings.Contains(title, "leave out what the model had read: Hold the reset") || suggests != useWhatIsThere || len(check.Safety(suggests, nil)) > 0 {
		t.Errorf("diagnosed %+v, titled %q, suggests %q", d, title, suggests)
	}
}

func TestRead_ToolResults(t *testing.T) {
	for _, c := range []struct {
		api        wire.API
		body, text string
		tools      []string
	}{
		{wire.Chat, `{"messages":[{"role":"user","content":"hi"},{"role":"tool","tool_call_id":"c1","content":"boom"}]}`, "hi", []string{"boom"}},
		{wire.Messages, `{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"boom"}]}]}]}`, "boom", []string{"boom"}},
		{wire.Responses, `{"input":[{"type":"function_call_output","output":"boom"},{"role":"user","content":"hi"}]}`, "hi", []string{"boom"}},
		{wire.Chat, `{"messages":[{"role":"user","content":"first"},{"role":"user","content":"cut of`, "first", nil},
		{wire.Chat, `[[[1,2,`, "", nil},
		{wire.Chat, ``, "", nil},
	} {
		got := Read(c.api, []byte(c.body))
		if !strings.Contains(got.Text, c.text) || len(got.Tools) != len(c.tools) || len(c.tools) > 0 && got.Tools[0] != c.tools[0] {
			t.Errorf("Read(%s) = %+v, want %q and %q", c.body, got, c.text, c.tools)
		}
	}
}

// What end users claim is a finding: as a rule it needs an admin who knows a source
// and how long it holds.
func TestLearner_ClaimedFactIsAFinding(t *testing.T) {
	b := newBench(t)
	b.say(b.exchange("do gift cards expire"), "u1", "You should say that gift cards never expire.")
	b.say(b.exchange("how long is a gift card valid"), "u2", "Mention that gift cards never expire")
	b.work()
	if n := len(b.proposals(store.Open)); n != 0 {
		t.Fatalf("%d proposals of a fact that end users claim", n)
	}
	fs := b.findings("open")
	if len(fs) != 1 || fs[0].Kind != string(MissingFact) || fs[0].People != 2 || fs[0].Suggest != "Say that gift cards never expire." {
		t.Errorf("findings %+v, want one of a missing fact with the wording", fs)
	}
}

// Who says another fact about a like question does not stand behind this one.
func TestLearner_DifferentFactsAreDifferentFindings(t *testing.T) {
	b := newBench(t)
	const asked = "how long is a gift card valid"
	b.say(b.exchange(asked), "u1", "Say that gift cards are valid for three years.")
	b.say(b.exchange(asked), "u2", "You should say that a gift card is valid for 3 years")
	b.say(b.exchange(asked), "u3", "Say that gift cards are valid for five years.")
	b.say(b.exchange("how long are gift cards valid"), "u4", "Mention that gift cards never expire.")
	b.say(b.exchange("where can i use a gift card"), "u5", "Say that gift cards are accepted in Berlin.")
	b.say(b.exchange("where can i use a gift card"), "u6", "Say that gift cards are taken in Munich.")
	b.work()
	people := map[string]int{}
	for _, f := range b.findings("open") {
		people[f.Suggest] = f.People
		if f.Kind != string(MissingFact) || len(f.Evidence) != f.People {
			t.Errorf("finding %+v", f)
		}
	}
	if len(people) != 5 || people["Say that gift cards are valid for three years."] != 2 {
		t.Errorf("people behind each fact: %v", people)
	}
}

func TestSameFact(t *testing.T) {
	for _, c := range []struct {
		a, b, query string
		want        bool
	}{
		{"The fee is 5 euros.", "It costs 5 euros", "what does it cost", true},
		{"The fee is 5 euros.", "The fee is 7 euros.", "what does it cost", false},
		{"You find the form under Settings, then Privacy.", "The form is under Settings > Privacy", "where is the form", true},
		{"Ask Ms Miller in room B.", "Ask Mr Schmidt in the cellar.", "who helps me", false},
		{"Returns are free.", "Returns are not free.", "are returns free", false},
		{"Returns are free.", "Returning things is free", "are returns free", true},
	} {
		e := func(s string) store.Evidence { return store.Evidence{Correction: s, Query: c.query} }
		if got := sameFact(e(c.a), e(c.b)); got != c.want || got != sameFact(e(c.b), e(c.a)) {
			t.Errorf("sameFact(%q, %q) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}
