package learner

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"heed/store"
)

// Limits of findings.
const (
	likeComplaint = 0.34 // overlap of words from which complaints are one cluster
	comparedWith  = 10   // newest evidence of a finding that a complaint is compared with
	maxFindings   = 1000 // of one app; then complaints join the nearest kind and step
)

// complain files the feedback under the finding that it belongs to: an open one,
// one that was resolved and comes back, or a new one.
func (s *state) complain(f *store.Feedback, link *store.Link, d Diagnosis) {
	e := evidenceOf(f, link)
	step := ""
	if link != nil {
		step = link.Step
	}
	t := findingTitle(d, e)
	old := s.cluster(d.Kind, step, t, e)
	next := store.Finding{ID: store.NewID(), State: "open", Kind: string(d.Kind), Title: t, Step: step, Suggest: Suggest(f, d), Advice: advice(f, d)}
	if d.Kind == Reword {
		next.Rule = d.Detail
	}
	if old != nil {
		next = *old
		next.Evidence = slices.Clone(old.Evidence)
		if next.State == "resolved" {
			next.State = "open"
			next.Reopened++
		}
	}
	if !slices.ContainsFunc(next.Evidence, func(o store.Evidence) bool { return o.Feedback == e.Feedback }) {
		next.Evidence = append([]store.Evidence{e}, next.Evidence...)
		next.Count++
		next.Complained(e.Time, 1)
	}
	next.People = max(next.People, store.People(next.Evidence)) // those no longer listed still count
	next.Evidence = next.Evidence[:min(len(next.Evidence), newestFinding)]
	s.file(&next)
	s.handle(f, link, string(d.Kind), "filed as finding "+next.ID+": "+d.Reason)
}

// cluster returns the finding that a complaint belongs to, nil for a new one.
func (s *state) cluster(kind Kind, step, title string, e store.Evidence) *store.Finding {
	var best *store.Finding
	score := likeComplaint
	if len(s.findings) >= maxFindings {
		score = 0
	}
	for _, f := range s.findings {
		if f.Kind != string(kind) || f.Step != step {
			continue
		}
		like := alike(f, kind, title, e)
		if f.State == "resolved" {
			like -= 0.01 // an open one first
		}
		if like >= score {
			best, score = f, like
		}
	}
	return best
}

// alike says how much a complaint is one of the finding's: failures of the
// machinery by their title, others by the words of the judged requests and of
// what was said. Who says another fact is no witness of this one, however like the
// requests were.
func alike(f *store.Finding, kind Kind, title string, e store.Evidence) float64 {
	switch kind {
	case Outage, Tool, Length, Reword:
		if f.Title == title {
			return 1
		}
		return 0
	}
	best := 0.0
	query, quote := stemSet(e.Query), stemSet(e.Quote+" "+e.Correction)
	for _, o := range f.Evidence[:min(len(f.Evidence), comparedWith)] {
		if (kind == MissingFact || kind == Retrieval) && !sameFact(e, o) {
			continue
		}
		if o.Query != "" && o.Query == e.Query {
			return 1
		}
		best = max(best, dice(query, stemSet(o.Query)), 0.8*dice(quote, stemSet(o.Quote+" "+o.Correction)))
	}
	return best
}

// findingTitle is the finding's one line for people.
func findingTitle(d Diagnosis, e store.Evidence) string {
	about := ""
	if t := Topic([]string{e.Query}, Frequencies{}); t != "" {
		about = " about " + strings.TrimPrefix(t, topicFrame)
	}
	switch d.Kind {
	case Outage:
		return oneLine("Calls failed: "+d.Detail+" ("+d.Reason+")", 160)
	case Tool:
		if d.Detail != "" {
			return oneLine("Tool "+d.Detail+" failed: "+d.Reason, 160)
		}
		return "A tool failed: " + d.Reason
	case Length:
		return "Answers were cut off at the token limit"
	case Reword:
		return "A rule is injected and not followed: " + d.Detail
	case MissingFact:
		return oneLine("A fact is missing"+about+": "+d.Detail, 160)
	case Retrieval:
		return oneLine("What was retrieved lacks a fact"+about+": "+d.Detail, 160)
	}
	if d.Action == useWhatIsThere {
		return oneLine("Answers"+about+" leave out what the model had read: "+e.Correction, 160)
	}
	return oneLine("Complaints"+about+" that do not say what to do: "+firstOf(e.Quote, e.Correction), 160)
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if strings.TrimSpace(t) != "" {
			return t
		}
	}
	return "no words"
}

// Suggest is a wording that an admin could start from; "" when there is none.
func Suggest(f *store.Feedback, d Diagnosis) string {
	switch d.Kind {
	case Tool:
		return "If the tool fails, say so and do not guess its result."
	case Length:
		return "Answer in at most 150 words."
	case MissingFact:
		return d.Action // an admin who knows that it is so may make a rule of it
	case Retrieval, Outage:
		return ""
	}
	if d.Action != "" {
		return d.Action
	}
	for _, s := range suggestions {
		if s.about.MatchString(f.Comment) {
			return s.say
		}
	}
	return ""
}

// advice is what would mend a finding besides a rule; "" when nothing is known.
func advice(f *store.Feedback, d Diagnosis) string {
	switch d.Kind {
	case Tool:
		return "Mend the tool. Until then a rule can tell what to do when it fails."
	case Length:
		return "Raise the token limit of this step, or ask for shorter answers."
	case MissingFact, Retrieval:
		return oneLine("Add it to what the agent can look up: "+firstOf(f.Correction, f.Comment), 400)
	case Reword:
		return "Reword the rule, so that the model follows it."
	case Outage:
		return "See the upstream's errors; no rule can mend this."
	}
	return ""
}

// suggestions are wordings for complaints that are frequent and name a quality.
var suggestions = []struct {
	about *regexp.Regexp
	say   string
}{
	{regexp.MustCompile(`(?i)\btoo (long|wordy|verbose|much text)\b|\brambl|\bwall of text\b`), "Answer in at most 80 words."},
	{regexp.MustCompile(`(?i)\btoo (short|brief|vague|general|generic)\b|\bnot (specific|detailed) enough\b`), "Answer with the concrete steps, each with its details."},
	{regexp.MustCompile(`(?i)\b(rude|impolite|unfriendly|cold|arrogant|condescending)\b`), "Be friendly and polite."},
	{regexp.MustCompile(`(?i)\b(did|does|do)(n't| not) (really )?answer|\bnot (an|the) answer|\boff.topic\b|\bbeside the point\b`), "Answer the question itself in the first sentence."},
	{regexp.MustCompile(`(?i)\b(confusing|complicated|hard to (understand|follow|read)|unclear)\b`), "Use short sentences and plain words."},
	{regexp.MustCompile(`(?i)\bwrong language\b|\bnot in (english|german|french|spanish)\b`), "Answer in the language of the request."},
}

// forgetIn takes a record out of the findings; one without any left is resolved.
func (s *state) forgetIn(feedback string) int {
	n := 0
	for _, f := range slices.Clone(s.findings) {
		i := slices.IndexFunc(f.Evidence, func(e store.Evidence) bool { return e.Feedback == feedback })
		if i < 0 {
			continue
		}
		next := *f
		next.Evidence = slices.Delete(slices.Clone(f.Evidence), i, i+1)
		next.Count = max(0, f.Count-1)
		next.Complained(f.Evidence[i].Time, -1)
		next.Asked = min(next.Asked, next.Count)
		next.People = store.People(next.Evidence)
		if next.Count == 0 {
			next.State = "resolved"
		}
		s.file(&next)
		n++
	}
	return n
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
