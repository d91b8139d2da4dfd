package match

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

const passages = `Article on car rental. Customers often write "i need a car in boston". The team for rentals answers within two working days.

Article on PINs. Customers often write "i want a new pin for my card". The team for cards answers within two working days.

Article on vaccines. Some countries ask for proof of a vaccine. The clinic gives it to travellers within two working days.`

func last(t testing.TB, turns ...string) string {
	t.Helper()
	out := Extract("s", turns, nil)
	if len(out) != len(turns) {
		t.Fatalf("Extract gave %d queries for %d turns", len(out), len(turns))
	}
	return out[len(out)-1]
}

func TestExtract_PastedMaterialGoes(t *testing.T) {
	const q = "how do i freeze my account"
	check := func(name, turn string) {
		t.Helper()
		if got := last(t, turn); got != q {
			t.Errorf("%s: got %q, want %q", name, got, q)
		}
	}
	check("nothing else", q)
	check("labelled question after passages", "Answer with the help of these passages.\n\n"+passages+"\n\nQuestion: "+q)
	check("labelled context", "Context:\n"+passages+"\n\n"+q)
	check("context after the question", q+"\n\nContext:\n"+passages)
	check("passages without a label", passages+"\n\n"+q)
	check("passages in one line", strings.ReplaceAll(passages, "\n\n", " ")+" Question: "+q)
	check("tags", "<documents>"+passages+"</documents>\n"+q)
	check("a question in a tag", "<context>"+passages+"</context><question>"+q+"</question>")
	check("a fenced block", q+"\n```go\nfunc main() { fmt.Println(1) }\n```")
	check("a JSON blob", q+"\n"+`{"status": "frozen", "account": {"id": 17, "owner": "x"}}`)
	check("a JSON turn", `{"question": "`+q+`", "documents": ["a", "b"]}`)
	check("numbered sources", "[1] The account page lists all accounts.\n[2] Cards are sent by post.\n"+q)
	check("a quoted mail", "> On Monday you wrote\n> that it works\n"+q)
	check("a stack trace", q+"\nTraceback (most recent call last):\nFile \"a.py\", line 3, in <module>\n")
}

func TestExtract_AbstainsWithoutRequest(t *testing.T) {
	for _, turn := range []string{
		"", "   \n", "```\nselect 1;\n```", `{"rows": [1, 2, 3], "status": "ok"}`, "<document>" + passages + "</document>",
		strings.Repeat("The warehouse received the goods and stored them on the second floor of the building. ", 30) +
			strings.Repeat("The goods remained there over winter and were counted by the clerk every single week of that season. ", 3),
	} {
		if got := last(t, turn); got != "" && len(got) > 200 {
			t.Errorf("Extract(%.40q…) = %q, want nothing", turn, got)
		}
	}
}

func TestExtract_FollowUpTakesTheTurnBefore(t *testing.T) {
	const first = "do you have this jacket in green"
	for _, next := range []string{"and the blue one?", "what about the red one?", "why?", "is it free?", "and in large?", "how long does that take?"} {
		if got := last(t, first, next); !strings.Contains(got, "jacket") || !strings.Contains(got, next) {
			t.Errorf("after %q, %q became %q", first, next, got)
		}
	}
	for _, next := range []string{"how do i change my delivery address", "what are your opening hours on sunday", "i lost my parcel"} {
		if got := last(t, first, next); got != next {
			t.Errorf("a change of topic %q became %q", next, got)
		}
	}
	if got := last(t, first, "and the blue one?", "and in large?"); !strings.Contains(got, "jacket") || strings.Contains(got, "blue") {
		t.Errorf("a second follow-up became %q, want the request and itself", got)
	}
}

func TestExtract_TurnDependsOnNoLaterTurn(t *testing.T) {
	turns := []string{"do you have this jacket in green", "and in blue?", "where is my parcel", "ok"}
	all := Extract("s", turns, nil)
	for n := range turns {
		for i, got := range Extract("s", turns[:n+1], nil) {
			if got != all[i] {
				t.Errorf("turn %d is %q among %d turns and %q among all", i, got, n+1, all[i])
			}
		}
	}
}

// wrapped is traffic of two steps, of which one repeats a preamble.
func wrapped(n int) []Logged {
	things := []string{"refund", "parcel", "jacket", "account", "delivery", "coupon", "sizes", "invoice"}
	var out []Logged
	for i := range n {
		q := fmt.Sprintf("where is my %s number %d", things[i%len(things)], i)
		out = append(out, Logged{Step: "plain", Text: q, Query: q})
		text := fmt.Sprintf("You are talking to customer %d of the shop. Be polite, think before you answer and never promise a date. "+
			"If money is involved ask for the account first. %s", i, q)
		out = append(out, Logged{Step: "wrapped", Text: text})
	}
	return out
}

func TestFit_LearnsWhatAStepRepeats(t *testing.T) {
	s := Fit(nil, wrapped(60), FitOptions{})
	text := "You are talking to customer 77 of the shop. Be polite, think before you answer and never promise a date. " +
		"If money is involved ask for the account first. can i return the boots"
	if got := Extract("wrapped", []string{text}, s)[0]; got != "can i return the boots" {
		t.Errorf("query = %q without the template, want the request", got)
	}
	if got := Extract("plain", []string{"can i return the boots"}, s)[0]; got != "can i return the boots" {
		t.Errorf("query = %q of a step without template", got)
	}
	if got := Extract("unseen", []string{"can i return the boots"}, s)[0]; got != "can i return the boots" {
		t.Errorf("query = %q of an unseen step", got)
	}
}

// Questions that many ask word for word, as buttons that suggest them bring about,
// are repeated like a preamble.
func TestFit_ARepeatedQuestionIsNoTemplate(t *testing.T) {
	var traffic []Logged
	questions := []string{"how do i return a jacket that does not fit?", "where is the parcel that i ordered", "can i pay by invoice at your shop"}
	for i := range 90 {
		q := questions[i%len(questions)]
		traffic = append(traffic, Logged{Step: "s", Text: q, Query: q})
	}
	s := Fit(nil, traffic, FitOptions{})
	if s.template("s") == nil {
		t.Fatal("nothing was learned as repeated")
	}
	for _, q := range questions {
		if got := Extract("s", []string{q}, s)[0]; got != q {
			t.Errorf("query = %q of %q", got, q)
		}
	}
}

func FuzzExtract(f *testing.F) {
	s := Fit(nil, wrapped(30), FitOptions{})
	for _, seed := range []string{"", "hi", passages, "Question:", "```", "<a>", "<question></question>", "{\"q\": 1}", "[[[[{{{{",
		"Context:\n\n\nQuestion：什么", "\xff\xfe", "question: question: question:", "> x", wrapped(3)[5].Text, strings.Repeat("a?", 4000), "İ’ß ﬁ"} {
		f.Add(seed, "and the blue one?")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, step := range []string{"wrapped", "x"} {
			for i, q := range Extract(step, []string{a, b, a + b}, s) {
				if len(q) > maxTextBytes || !utf8.ValidString(q) {
					t.Errorf("turn %d: query of %d bytes, valid %v", i, len(q), utf8.ValidString(q))
				}
			}
		}
	})
}
