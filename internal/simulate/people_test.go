package simulate

import (
	"strings"
	"testing"
)

// probes holds an expectation of each kind that no bare answer below meets.
var probes = []Expectation{
	{Kind: Mention, Text: "the 30-day window"}, {Kind: Avoid, Text: "the post office"},
	{Kind: Replace, Text: "parcel shop", Old: "post office"}, {Kind: Begin, Text: "Dear friend,"},
	{Kind: End, Text: "All the best"}, {Kind: Sign, Text: "Team Larch"}, {Kind: Link, Text: "the returns page"},
	{Kind: Offer, Text: "a voucher"}, {Kind: Ask, Text: "the order number"}, {Kind: Upper}, {Kind: Lower},
	{Kind: Bullets}, {Kind: Numbered}, {Kind: Table}, {Kind: Words, N: 12}, {Kind: Sentences, N: 1}, {Kind: JSON},
	{Kind: Language, Text: "german"}, {Kind: Language, Text: "french"}, {Kind: Language, Text: "spanish"},
	{Kind: Polite}, {Kind: Apologise}, {Kind: Greet}, {Kind: Thank}, {Kind: Metric}, {Kind: Currency, Text: "euros"}, {Kind: Phone},
}

const bareAnswer = "Send unused items back for $5 in a box of 40 inches. Hand it in at the post office near you. We do the rest for you."

// TestObey_EveryWordingOfEveryKind holds reader, writer and verifier against
// each other: what people say is read, obeyed and found to be met.
func TestObey_EveryWordingOfEveryKind(t *testing.T) {
	for _, e := range probes {
		if e.Met(bareAnswer) {
			t.Errorf("%s %q: met by the bare answer, so obeying proves nothing", e.Kind, e.Text)
		}
		if len(e.Demands()) < 3 {
			t.Errorf("%s: %d wordings, want 3 or more", e.Kind, len(e.Demands()))
		}
		for _, d := range e.Demands() {
			for _, text := range []string{d, capital(d) + ".", "- When someone asks about returns: " + d, "For questions about returns, " + d + ".", instance(d, 1), instance(d, 2), instance(d, 3)} {
				read := Read(text)
				if len(read) != 1 || read[0].Kind != e.Kind || read[0].Complaint {
					t.Errorf("%q: read %+v, want one %s", text, read, e.Kind)
					continue
				}
				if got := obey(bareAnswer, read); !e.Met(got) {
					t.Errorf("%q: answered %q, which does not meet %s %q", text, got, e.Kind, e.Text)
				}
			}
		}
	}
}

func TestScenario_Sizes(t *testing.T) {
	if n := len(Topics()); n < 24 {
		t.Errorf("%d topics, want 24 or more", n)
	}
	seen := map[string]string{}
	for _, id := range Topics() {
		qs := Questions(id)
		if got := Topic("someone asks about " + aboutTopic(id)); got != id {
			t.Errorf("topic of %q: %q, want %q", aboutTopic(id), got, id)
		}
		if len(qs) < 8 {
			t.Errorf("%s: %d questions, want 8 or more", id, len(qs))
		}
		for _, q := range qs {
			if other, ok := seen[normal(q)]; ok {
				t.Errorf("%q stands in %s and in %s", q, other, id)
			}
			seen[normal(q)] = id
			if got := Topic(q); got != id {
				t.Errorf("Topic(%q) = %q, want %q", q, got, id)
			}
		}
	}
	for _, q := range Questions("") {
		if got := Topic(q); got != "" {
			t.Errorf("Topic(%q) = %q, want none", q, got)
		}
	}
	s := Scenario()
	if len(s.Train) == 0 || len(s.Unseen) == 0 || len(s.Neighbours) < 50 || len(s.Unrelated) < 20 {
		t.Errorf("got %d train, %d unseen, %d neighbours, %d unrelated", len(s.Train), len(s.Unseen), len(s.Neighbours), len(s.Unrelated))
	}
}

func TestKnowledge_EveryAnswerIsRight(t *testing.T) {
	k := shopKnowledge()
	for _, top := range k.topics {
		for _, a := range top.answers {
			if !Right(top.questions[0], a) {
				t.Errorf("%s: %q holds no fact of it", top.id, a)
			}
		}
		for _, w := range append(append([]string(nil), k.wrong...), k.general...) {
			if Right(top.questions[0], w) {
				t.Errorf("%s: %q counts as right", top.id, w)
			}
		}
	}
	for _, a := range k.general {
		if q := "Why is the sky blue?"; !Right(q, a) || Right(q, k.wrong[0]) || Right(q, strings.Join(strings.Fields(a)[:5], " ")) {
			t.Errorf("an unrelated question: %q must be right, giving up and its first five words wrong", a)
		}
	}
}

// TestScenario_BareAnswersDisappoint keeps the demo's base rate low, and
// shows that a rule for each expectation lifts it.
func TestScenario_BareAnswersDisappoint(t *testing.T) {
	s := Scenario()
	m := NewModel(Options{Seed: 1})
	met, total := 0, 0
	for _, e := range s.Expectations {
		for _, q := range s.Unseen {
			if !e.Covers(q.Topic) {
				continue
			}
			total++
			if e.Met(m.answer(ask(s.Model, s.System, q.Text), 0).text) {
				met++
			}
			rule := "\n<learned_guidelines>\n- When someone asks about " + aboutTopic(q.Topic) + ": " + e.Demands()[0] + "\n</learned_guidelines>"
			if got := m.answer(ask(s.Model, s.System+rule, q.Text), 0).text; !e.Met(got) || !Right(q.Text, got) {
				t.Errorf("%s, %q with its rule: %q", e.ID, q.Text, got)
			}
		}
	}
	if met*20 > total {
		t.Errorf("%d of %d bare answers meet an expectation, want at most 5 %%", met, total)
	}
}

func ask(model, system, question string) *conversation {
	return &conversation{model: model, turns: []turn{{"system", system}, {"user", question}}}
}

func TestPerson_Judge_FormsAndDeterminism(t *testing.T) {
	s := Scenario()
	p := NewPerson("ann", 3, s.Expectations)
	forms := map[Form]int{}
	m := NewModel(Options{Seed: 1})
	comments := map[string]bool{}
	for round := range 20 {
		p.Seed = uint64(round)
		for _, q := range s.Train {
			answer := m.answer(ask(s.Model, s.System, q.Text), 0).text
			f, ok := p.Judge(q.Text, answer)
			again, ok2 := p.Judge(q.Text, answer)
			if f != again || ok != ok2 {
				t.Fatalf("judged %+v, then %+v", f, again)
			}
			if !ok {
				continue
			}
			forms[f.Form]++
			comments[f.Comment] = true
			checkFeedback(t, f)
		}
	}
	total := 0
	for _, n := range forms {
		total += n
	}
	for form, share := range map[Form]float64{Thumbs: 0.2, Wrong: 0.15, Vague: 0.15, Instance: 0.25, General: 0.25} {
		if got := float64(forms[form]) / float64(total); got < share-0.07 || got > share+0.07 {
			t.Errorf("%s: %.2f of the feedback, want about %.2f", form, got, share)
		}
	}
	if len(comments) < 60 {
		t.Errorf("%d different comments, want at least 60", len(comments))
	}
}

func checkFeedback(t *testing.T, f Feedback) {
	t.Helper()
	instructs := false
	for _, in := range Read(f.Comment) {
		instructs = instructs || !in.Complaint
	}
	switch f.Form {
	case Thumbs:
		if f.Comment != "" || f.AppliesWhen != "" || f.Correction != "" {
			t.Errorf("thumbs with text: %+v", f)
		}
	case Vague:
		if instructs {
			t.Errorf("a vague complaint reads as an instruction: %q", f.Comment)
		}
	default:
		if f.Form != Praise && !instructs {
			t.Errorf("%s feedback reads as no instruction: %q", f.Form, f.Comment)
		}
	}
	if f.Form == General && f.AppliesWhen == "" && !strings.Contains(f.Comment, "about") {
		t.Errorf("general feedback without scope: %+v", f)
	}
}

// What one person likes says so, and is nobody's expectation.
func TestPerson_Taste(t *testing.T) {
	p := NewPerson("ann", 1, []Expectation{{ID: "e", Kind: Mention, Text: "the amber desk"}})
	p.Silent, p.Mistaken, p.Vague, p.Instance, p.Taste, p.Corrects = 0, 0, 0, 0, 1, 1
	for _, q := range []string{"how do I return shoes?", "what does delivery cost?", "do you sell vouchers?"} {
		f, says := p.Judge(q, "You can do that in your account.")
		if !says || f.Form != Taste || f.Expectation != "" || f.Correction != "" || f.Rating != -1 {
			t.Errorf("%q: %+v, %v", q, f, says)
		}
		if low := strings.ToLower(f.Comment); !strings.Contains(low, "prefer") && !strings.Contains(low, "for me") && !strings.Contains(low, "i personally") && !strings.Contains(low, "call me") {
			t.Errorf("%q does not read as a taste", f.Comment)
		}
	}
}

// People name a topic as the benchmark tells them to.
func TestPerson_About(t *testing.T) {
	p := NewPerson("ann", 1, []Expectation{{ID: "e", Topics: []string{"tire_change"}, Kind: Mention, Text: "the amber desk"}})
	p.Silent, p.Mistaken, p.Vague, p.Instance = 0, 0, 0, 0
	p.Topic = func(string) string { return "tire_change" }
	p.About = func(string) string { return "changing tires" }
	f, _ := p.Judge("my tire is flat", "Oh dear.")
	if !strings.Contains(f.Comment+f.AppliesWhen, "changing tires") {
		t.Errorf("feedback %+v does not name the topic", f)
	}
}
