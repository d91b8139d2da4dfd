package learner

import (
	"strings"
	"testing"

	"heed/rules/check"
	"heed/store"
)

// What a finding suggests is a wording that can stand in a rule as it is; what else
// would mend it is said apart.
func TestSuggest(t *testing.T) {
	for _, c := range []struct {
		kind            Kind
		comment, action string
		wording, advice string
	}{
		{Tool, "it broke", "", "If the tool fails, say so and do not guess its result.", "Mend the tool"},
		{Length, "it stops", "", "Answer in at most 150 words.", "token limit"},
		{MissingFact, "say that returns are free", "Say that returns are free.", "Say that returns are free.", "look up"},
		{Retrieval, "it is 30 days", "", "", "look up: it is 30 days"},
		{Outage, "nothing came", "", "", "upstream's errors"},
		{Reword, "mention the window!", "Mention the window.", "Mention the window.", "Reword the rule"},
		{NoInstruction, "this is too long", "", "Answer in at most 80 words.", ""},
		{NoInstruction, "useless", "", "", ""},
	} {
		f := &store.Feedback{Comment: c.comment}
		d := Diagnosis{Kind: c.kind, Action: c.action}
		got, more := Suggest(f, d), advice(f, d)
		if got != c.wording || !strings.Contains(more, c.advice) || c.advice == "" && more != "" {
			t.Errorf("%s: suggests %q, advises %q", c.kind, got, more)
		}
		if got != "" && len(check.Safety(got, nil)) > 0 {
			t.Errorf("%s: suggests %q, which may not become a rule", c.kind, got)
		}
	}
}
