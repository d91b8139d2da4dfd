package learner

import (
	"strings"
	"testing"

	"heed/store"
)

// The first instruction is a proposal whatever script it is written in, in the
// person's own words, about the topic of the judged request but not in its words;
// who says the same joins it, and a complaint is a finding.
func TestLearner_OtherScripts(t *testing.T) {
	for _, c := range []struct{ first, second, third, said, topic, complaint string }{
		{"靴を返品したいのですがどうすればいいですか", "スニーカーの返品はできますか", "返品の送料はいくらですか", "必ず返品期限を記載してください。", "返品", "質問に答えていません"},
		{"كيف يمكنني إرجاع الحذاء", "هل يمكن إرجاع الحذاء بعد شهر", "كم تكلفة إرجاع الحذاء", "اذكر دائما مهلة الإرجاع.", "إرجاع", "هذا لا يجيب على سؤالي"},
	} {
		b := newBench(t)
		b.say(b.exchange(c.first), "u1", c.said)
		b.work()
		p := b.one()
		r := p.Rule()
		if r.Action != c.said || !strings.Contains(r.Scope.AppliesWhen, c.topic) || quotes(r.Scope.AppliesWhen, c.first, quoteWords) || strings.Contains(r.Scope.AppliesWhen, c.first) || len(p.Problems) > 0 {
			t.Errorf("proposed %q when %q, problems %v", r.Action, r.Scope.AppliesWhen, p.Problems)
		}
		if !strings.Contains(p.Title, c.said) || len(p.Evidence) != 1 || p.Evidence[0].Quote != c.said || len(r.Scope.Examples) != 1 {
			t.Errorf("titled %q, evidence %+v", p.Title, p.Evidence)
		}
		b.say(b.exchange(c.second), "u2", c.said)
		b.say(b.exchange(c.third), "u3", c.complaint)
		b.work()
		if p = b.one(); p.People != 2 {
			t.Errorf("%d people stand behind %q, want 2", p.People, p.Title)
		}
		if fs := b.findings("open"); len(fs) != 1 || fs[0].Kind != string(NoInstruction) || !strings.Contains(fs[0].Title, c.complaint) {
			t.Errorf("findings %+v, want the complaint", fs)
		}
		b.approve(p)
		if n := len(b.set().Rules); n != 1 {
			t.Errorf("%d rules in force, want 1", n)
		}
		if n := len(b.proposals(store.Open)); n != 0 {
			t.Errorf("%d proposals open", n)
		}
	}
}
