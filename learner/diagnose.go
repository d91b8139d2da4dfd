package learner

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"heed/rules/check"
	"heed/store"
	"heed/wire"
)

// Kind says what would have prevented a complaint.
type Kind string

// Kinds of diagnosis. Those after Routing are kinds of findings.
const (
	Instructs     Kind = "rule"           // what was said can become a rule
	Rating        Kind = "rating"         // a judgement without words: it counts for routing and effects only
	Routing       Kind = "routing"        // another target answers this step better
	NoInstruction Kind = "no_instruction" // a complaint that does not say what to do
	Retrieval     Kind = "retrieval"      // the context lacks what the person knows, though something was retrieved
	MissingFact   Kind = "missing_fact"   // nothing the model read has it
	Tool          Kind = "tool"           // a tool failed, or its call could not be read
	Length        Kind = "length"         // cut off at the token limit
	Outage        Kind = "outage"         // the upstream failed
	Reword        Kind = "reword"         // a rule that says this was injected and not followed
)

// Case is what a diagnosis looks at. Everything but Feedback may be missing.
type Case struct {
	Feedback *store.Feedback
	Exchange *store.Exchange
	Answer   *wire.Answer // with tool calls; nil: not known
	Ratings  []store.TargetRating
}

// Diagnosis is what would have prevented the complaint, and why we think so.
type Diagnosis struct {
	Kind   Kind
	Action string // Instructs: the action, in the person's words
	When   string // Instructs: the person's condition, "" when none was worded
	Reason string // for people
	Detail string // Tool: its name; Routing: the target that does better
}

// Diagnose asks what would have prevented a complaint (issue 6): an upstream
// failure is never a rule; a clear instruction is one, unless the tool or the
// token limit failed and the instruction names no form, or what it asks for is to
// claim a fact; a correction whose words
// stood nowhere in what the model read lacks a fact; a complaint on a step where
// another target does better is routing. It is pure.
func Diagnose(c Case) Diagnosis {
	f := c.Feedback
	if d, ok := failed(c.Exchange); ok {
		return d
	}
	said := strings.TrimSpace(f.Comment + f.Correction + strings.Join(f.Labels, " "))
	action, when, instructs := instruction(f)
	if f.Rating != nil && *f.Rating > 0 && !instructs {
		return Diagnosis{Kind: Rating, Reason: "a judgement that the answer was good"}
	}
	formal := instructs && len(check.Compile(action)) > 0
	if d, ok := toolFailed(c); ok && !formal {
		return d
	}
	if c.Exchange != nil && cutOff(c.Exchange.Finish) && !formal {
		return Diagnosis{Kind: Length, Reason: "the answer was cut off at the token limit"}
	}
	if instructs && check.Claims(action) {
		return Diagnosis{Kind: MissingFact, Action: action, Detail: oneLine(action, 100), Reason: "a fact that a person claims: as a rule it needs an admin's name, a source and how long it holds"}
	}
	if instructs {
		return Diagnosis{Kind: Instructs, Action: action, When: when, Reason: "the person said what to do"}
	}
	corrects, ok := corrected(c, when)
	if ok {
		return corrects
	}
	if better, ok := betterTarget(c); ok {
		return Diagnosis{Kind: Routing, Detail: better, Reason: "on this step the answers of " + better + " are judged better"}
	}
	if said == "" {
		return Diagnosis{Kind: Rating, Reason: "a judgement without words"}
	}
	if corrects.Action != "" {
		return corrects
	}
	return Diagnosis{Kind: NoInstruction, Reason: "a complaint that does not say what the answer should do"}
}

// instruction finds the action in a comment, and the condition it is under.
func instruction(f *store.Feedback) (action, when string, ok bool) {
	when = f.When
	text := f.Comment
	if cond, rest, found := check.AppliesWhen(text); found {
		if when != "" && !covers(when, cond) {
			action, ok = check.WholeInstruction(text)
			return action, when, ok
		}
		if when == "" {
			when = cond
		}
		if a, ok := check.Instruction(rest); ok {
			return a, when, true
		}
	}
	action, ok = check.Instruction(text)
	return action, when, ok
}

// covers says whether a condition has all the words of another.
func covers(when, cond string) bool {
	have := conditionWords(when)
	for w := range conditionWords(cond) {
		if !have[w] {
			return false
		}
	}
	return true
}

func failed(x *store.Exchange) (Diagnosis, bool) {
	if x == nil {
		return Diagnosis{}, false
	}
	switch {
	case x.Outcome == store.UpstreamError, x.Outcome == store.Timeout, x.Outcome == store.Truncated, x.Outcome == store.Refused:
		return Diagnosis{Kind: Outage, Detail: target(x), Reason: fmt.Sprintf("the call ended as %s", x.Outcome)}, true
	case x.Status >= 400:
		return Diagnosis{Kind: Outage, Detail: target(x), Reason: fmt.Sprintf("the upstream answered with status %d", x.Status)}, true
	case slices.Contains(x.Failures, wire.FailUpstream):
		return Diagnosis{Kind: Outage, Detail: target(x), Reason: "the answer was an error"}, true
	case slices.Contains(x.Failures, wire.FailEmpty):
		return Diagnosis{Kind: Outage, Detail: target(x), Reason: "the answer was empty"}, true
	}
	return Diagnosis{}, false
}

func target(x *store.Exchange) string {
	if t := x.Decision.Target; t.Upstream != "" {
		return t.Upstream + "/" + t.Model
	}
	return x.RequestModel
}

func cutOff(finish string) bool {
	return slices.Contains([]string{"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}, finish)
}

// toolError finds a tool's own report of an error at the start of its result.
var toolError = regexp.MustCompile(`(?i)^\W{0,3}(?:"?(?:error|exception|traceback|failed|failure|timeout)\b|.{0,40}\b(?:error|exception|errno|failed|timed out|timeout|not reachable|unavailable|connection refused|rate limit(?:ed)?|(?:4|5)\d\d (?:internal|bad|not found|unauthorized|forbidden|service|gateway))\b)|"(?:error|is_error|isError|exception)"\s*:\s*(?:"[^"]|true|\{)|"(?:status|ok|success)"\s*:\s*(?:"(?:error|failed)"|false)`)

// toolFailed looks for a tool call whose arguments are no JSON, and for a tool
// result that reports an error.
func toolFailed(c Case) (Diagnosis, bool) {
	if c.Answer != nil {
		for _, call := range c.Answer.Tools {
			if !json.Valid([]byte(call.Arguments)) && strings.TrimSpace(call.Arguments) != "" {
				return Diagnosis{Kind: Tool, Detail: call.Name, Reason: "the arguments of the tool call could not be read"}, true
			}
		}
	}
	if c.Exchange == nil {
		return Diagnosis{}, false
	}
	if slices.Contains(c.Exchange.Failures, wire.FailTool) {
		return Diagnosis{Kind: Tool, Reason: "a tool call did not fit the tool's schema"}, true
	}
	seen := Read(c.Exchange.API, c.Exchange.Request)
	if n := len(seen.Tools); n > 0 { // the last result is what the answer rests on
		if m := toolError.FindString(cut(seen.Tools[n-1], 2000)); m != "" {
			return Diagnosis{Kind: Tool, Reason: "a tool reported an error"}, true
		}
	}
	return Diagnosis{}, false
}

// Limits of what a correction tells about missing facts.
const (
	absentShare = 0.5     // of the correction's new words that the model never read
	longContext = 4 << 10 // bytes of context from which on documents were surely put into it
)

// useWhatIsThere is suggested where the model had read what a correction says.
const useWhatIsThere = "Look for the answer in the instructions and documents that you were given, and say what they say."

// corrected follows a correction: to a wording, else to a fact that was absent
// from what the model read. It is not sure (false) of one that the model had read
// and left out.
func corrected(c Case, when string) (Diagnosis, bool) {
	f := c.Feedback
	if f.Correction == "" || c.Exchange == nil {
		return Diagnosis{}, false
	}
	answer := c.Exchange.Answer
	if a, ok := check.FromCorrection(answer, f.Correction); ok {
		return Diagnosis{Kind: Instructs, Action: a, When: when, Reason: "it follows from what the person said the answer should have been"}, true
	}
	seen := Read(c.Exchange.API, c.Exchange.Request)
	known, context := stemSet(answer+" "+c.Exchange.Query), stemSet(seen.Text) // asking about it is not having it
	fresh, absent := 0, 0
	var lacking []string
	for _, w := range contentWords(f.Correction) {
		st := stemOf(w)
		if known[st] {
			continue
		}
		fresh++
		if !context[st] {
			absent++
			lacking = append(lacking, w)
		}
	}
	switch {
	case fresh == 0:
		return Diagnosis{}, false
	case float64(absent) < absentShare*float64(fresh):
		return Diagnosis{Kind: NoInstruction, Action: useWhatIsThere, Reason: "the model had read what the correction says and did not say it"}, false
	}
	d := Diagnosis{Kind: MissingFact, Detail: strings.Join(lacking[:min(len(lacking), 5)], ", ")}
	d.Reason = "nothing that the model read has what the correction says: " + d.Detail
	if len(seen.Tools) > 0 || len(seen.Text) > longContext {
		d.Kind = Retrieval
		d.Reason = "what was retrieved for the request lacks what the correction says: " + d.Detail
	}
	return d, true
}

// Limits for blaming the target of one complaint; a proposal needs more
// (MinRatings).
const (
	blameRatings   = 10
	blamePosterior = 0.95
)

// betterTarget names the target of the alias and step that is judged better than
// the one that answered, where the ratings say so.
func betterTarget(c Case) (string, bool) {
	if c.Exchange == nil || !c.Feedback.Bad() {
		return "", false
	}
	t := c.Exchange.Decision.Target
	var own Beta
	found := false
	for _, r := range c.Ratings {
		if sameCell(r, c.Exchange) && r.Upstream == t.Upstream && r.Model == t.Model && r.Good+r.Bad >= blameRatings {
			own, found = Posterior(r.Good, r.Bad, Beta{1, 1}), true
		}
	}
	if !found {
		return "", false
	}
	best, name := blamePosterior, ""
	for _, r := range c.Ratings {
		if !sameCell(r, c.Exchange) || r.Upstream == t.Upstream && r.Model == t.Model || r.Good+r.Bad < blameRatings {
			continue
		}
		if p := Greater(Posterior(r.Good, r.Bad, Beta{1, 1}), own); p >= best {
			best, name = p, r.Upstream+"/"+r.Model
		}
	}
	return name, name != ""
}

func sameCell(r store.TargetRating, x *store.Exchange) bool {
	return r.Alias == x.Facts.Alias && r.Step == x.Facts.Step
}
