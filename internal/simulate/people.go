package simulate

import (
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Form is the way in which feedback is put.
type Form string

// The forms of feedback.
const (
	General  Form = "general"  // an instruction with its scope
	Instance Form = "instance" // an instruction about this one answer
	Vague    Form = "vague"    // a complaint without an instruction
	Thumbs   Form = "thumbs"   // no text
	Wrong    Form = "wrong"    // a demand that nobody expects here
	Taste    Form = "taste"    // what this one person likes
	Praise   Form = "praise"   // a thumb up
)

// Feedback is what a person says about one answer, in the fields of Heed's
// feedback API. Form and Expectation are the truth behind it, for scoring.
type Feedback struct {
	Person      string
	Rating      float64 // -1 or 1
	Comment     string
	AppliesWhen string
	Correction  string

	Form        Form
	Expectation string // id of the unmet expectation; empty with Praise, Wrong and Taste
}

// Person judges answers by hidden expectations. The shares are probabilities
// in [0, 1]; what they leave over is General. NewPerson sets them to what was
// reported of real crowds. A Person is not changed by use and is safe for
// concurrent use.
type Person struct {
	Name         string
	Seed         uint64
	Expectations []Expectation

	// Topic tells what a question is about. Nil means the function Topic.
	Topic func(question string) string
	// About is how people name a topic. Nil means the shop's names.
	About func(topic string) string

	Rate     float64 // of unmet expectations that are reported at all
	Applause float64 // of good answers that get a thumb up
	Silent   float64 // of reports that are Thumbs
	Mistaken float64 // of reports that are Wrong
	Taste    float64 // of reports that are Taste
	Vague    float64 // of reports that are Vague
	Instance float64 // of reports that are Instance
	Unscoped float64 // of General ones, those that do not say when it applies
	Corrects float64 // of reports with text, those that hold a correction
}

// NewPerson returns a person who reports everything: 20 % of it without text,
// 15 % wrong, 15 % vague, 25 % about the one answer only, the rest as an
// instruction with its scope; a tenth of good answers gets a thumb up. (The
// shares of silent and wrong feedback are issue 6's.)
func NewPerson(name string, seed uint64, expectations []Expectation) *Person {
	return &Person{
		Name: name, Seed: seed, Expectations: expectations,
		Rate: 1, Applause: 0.1, Silent: 0.2, Mistaken: 0.15, Vague: 0.15, Instance: 0.25, Corrects: 0.2,
	}
}

// Judge returns what the person says about an answer, or false when they say
// nothing. The same person, question and answer always give the same.
func (p *Person) Judge(question, answer string) (Feedback, bool) {
	seed := hash(p.Seed, "judge", p.Name, question, answer)
	topic := p.topic(question)
	unmet, ok := p.unmet(topic, answer)
	if !ok {
		return Feedback{Person: p.Name, Rating: 1, Form: Praise}, draw(seed, "applause") < p.Applause
	}
	if draw(seed, "rate") >= p.Rate {
		return Feedback{}, false
	}
	f := Feedback{Person: p.Name, Rating: -1, Expectation: unmet.ID, Form: p.form(draw(seed, "form"))}
	demand := choose(unmet.Demands(), seed, "demand")
	switch f.Form {
	case General:
		f.Comment = capital(demand) + "."
		if draw(seed, "unscoped") >= p.Unscoped {
			p.scope(&f, demand, topic, seed)
		}
	case Instance:
		f.Comment = instance(demand, seed)
	case Vague:
		f.Comment = choose(grumbles, seed, "grumble")
	case Wrong:
		f.Expectation = ""
		f.Comment = capital(choose(mistakes, seed, "mistake")) + "."
	case Taste:
		f.Expectation = ""
		f.Comment = choose(tastes, seed, "taste")
	}
	if f.Form != Thumbs && f.Expectation != "" && draw(seed, "corrects") < p.Corrects {
		f.Correction = obey(answer, Read(demand))
	}
	return f, true
}

func (p *Person) topic(question string) string {
	if p.Topic != nil {
		return p.Topic(question)
	}
	return Topic(question)
}

// unmet is the first expectation that the answer disappoints.
func (p *Person) unmet(topic, answer string) (Expectation, bool) {
	for _, e := range p.Expectations {
		if e.Covers(topic) && !e.Met(answer) {
			return e, true
		}
	}
	return Expectation{}, false
}

func (p *Person) form(x float64) Form {
	for _, s := range []struct {
		share float64
		form  Form
	}{{p.Silent, Thumbs}, {p.Mistaken, Wrong}, {p.Taste, Taste}, {p.Vague, Vague}, {p.Instance, Instance}} {
		if x < s.share {
			return s.form
		}
		x -= s.share
	}
	return General
}

// scope says when the demand applies: in the comment or in its own field.
func (p *Person) scope(f *Feedback, demand, topic string, seed uint64) {
	about := p.about(topic)
	if about == "" {
		return
	}
	if draw(seed, "field") < 0.5 {
		f.AppliesWhen = choose([]string{"someone asks about %", "the question is about %", "a customer needs help with %", "questions about %"}, seed, "when")
		f.AppliesWhen = strings.ReplaceAll(f.AppliesWhen, "%", about)
		return
	}
	lead := choose([]string{"For questions about %, ", "When someone asks about %, ", "If it is about %, ", "Whenever customers ask about %, "}, seed, "lead")
	f.Comment = strings.ReplaceAll(lead, "%", about) + demand + "."
}

// about is how the person names a topic.
func (p *Person) about(id string) string {
	if p.About != nil {
		return p.About(id)
	}
	return aboutTopic(id)
}

// aboutTopic is how the shop's people name a topic.
func aboutTopic(id string) string {
	for _, t := range shopKnowledge().topics {
		if t.id == id {
			return t.about
		}
	}
	return id
}

func choose(list []string, seed uint64, what string) string {
	return list[hash(seed, what)%uint64(len(list))]
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// instance puts a demand as being about this one answer.
func instance(demand string, seed uint64) string {
	bare := demand
	for _, w := range []string{"please ", "you should ", "always ", "make sure to "} {
		bare = strings.TrimPrefix(bare, w)
	}
	for _, w := range []string{"do not", "don't", "never", "no "} {
		if strings.HasPrefix(bare, w) {
			return choose([]string{"Here, please ", "In this case, "}, seed, "instance") + bare + "."
		}
	}
	return choose([]string{"Here it should ", "In this case, please ", "This one should "}, seed, "instance") + bare + "."
}

// grumbles complain without saying what would be better.
var grumbles = []string{
	"This does not answer my question.", "Not helpful.", "I expected more.", "That is not what I asked for.",
	"Bad answer.", "Useless, sorry.", "I still don't know what to do.", "Hm, no.", "This could be better.",
}

// mistakes are demands that no expectation of the scenario holds.
var mistakes = []string{
	"answer in all caps", "always answer in Spanish", "use a table", "never mention the shop",
	"end with \"Over and out\"", "mention the weather", "use at most 5 words",
}

// tastes are what one person likes and says so.
var tastes = []string{
	"Personally, I prefer answers in Spanish.", "I prefer bullet points.", "I'd prefer a table, but that's just me.",
	"For me, please use at most 20 words.", "I personally like it when answers end with a question.", "Call me captain.",
}

// Reworded puts what is to be said, and what it takes the place of, into a
// wording: %s and %o.
func Reworded(wording, now, old string) string {
	return capital(strings.NewReplacer("%s", now, "%o", old).Replace(wording))
}
