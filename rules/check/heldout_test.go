package check

import (
	"strings"
	"testing"
)

// A half counts over one half of a corpus: while tuning, misses of the odd
// lines were read, those of the even lines never.
type half struct{ right, all int }

func (h half) share() float64 { return float64(h.right) / float64(max(h.all, 1)) }

// score runs right over a corpus, logs what is wrong on odd lines, and returns
// both halves.
func score(t *testing.T, file string, right func(line string) (bool, string)) (seen, held half) {
	t.Helper()
	for i, l := range corpus(t, file) {
		ok, got := right(l)
		h := &held
		if i%2 == 0 {
			h = &seen
		}
		h.all++
		if ok {
			h.right++
		} else if i%2 == 0 {
			t.Logf("%s: %q: %s", file, l, got)
		}
	}
	t.Logf("%s: looked at %d of %d, never looked at %d of %d", file, seen.right, seen.all, held.right, held.all)
	return seen, held
}

// want fails when a share is below least.
func want(t *testing.T, what string, h half, least float64) {
	t.Helper()
	if h.share() < least {
		t.Errorf("%s: %d of %d, want at least %.0f %%", what, h.right, h.all, 100*least)
	}
}

func TestHeldOut_Instructions(t *testing.T) {
	_, found := score(t, "heldout_instructions.txt", func(l string) (bool, string) {
		comment, _, _ := strings.Cut(l, "\t")
		got, ok := Instruction(comment)
		return ok, got
	})
	_, clean := score(t, "heldout_instructions.txt", func(l string) (bool, string) {
		comment, action, named := strings.Cut(l, "\t")
		got, ok := Instruction(comment)
		return ok && (!named || action == "" || got == action), got
	})
	_, quiet := score(t, "heldout_complaints.txt", func(l string) (bool, string) {
		got, ok := Instruction(l)
		return !ok, got
	})
	want(t, "instructions found", found, 0.9)
	want(t, "instructions as expected", clean, 0.9)
	want(t, "complaints left alone", quiet, 0.94)
}

func TestHeldOut_Conditions(t *testing.T) {
	_, held := score(t, "conditions.txt", func(l string) (bool, string) {
		f := strings.Split(l, "\t")
		cond, rest, ok := AppliesWhen(f[0])
		if f[1] == "-" {
			return !ok && rest == f[0], cond + " | " + rest
		}
		return ok && cond == f[1] && rest == f[2], cond + " | " + rest
	})
	want(t, "conditions", held, 0.95)
}

func TestHeldOut_Safety(t *testing.T) {
	_, honest := score(t, "heldout_honest.txt", func(l string) (bool, string) {
		p := Safety(l, own)
		if p == nil {
			return true, ""
		}
		return false, p[0].String() + " " + p[0].Span
	})
	_, refused := score(t, "heldout_attacks.txt", func(l string) (bool, string) { return Safety(l, own) != nil, "passed" })
	want(t, "honest texts accepted", honest, 0.94)
	want(t, "attacks refused", refused, 0.9)
}

func TestHeldOut_SameAction(t *testing.T) {
	const threshold = SameThreshold
	var same, different [2]half
	count := func(h *half, ok bool) {
		h.all++
		if ok {
			h.right++
		}
	}
	for i, l := range corpus(t, "same.txt") {
		group := strings.Split(l, " | ")
		for j, a := range group {
			for _, b := range group[:j] {
				s := SameAction(a, b)
				count(&same[i%2], s >= threshold)
				if s < threshold && i%2 == 0 {
					t.Logf("%.2f, same: %q, %q", s, a, b)
				}
			}
		}
	}
	for i, l := range corpus(t, "different.txt") {
		a, b, _ := strings.Cut(l, " | ")
		s := SameAction(a, b)
		count(&different[i%2], s < threshold)
		if s >= threshold && i%2 == 0 {
			t.Logf("%.2f, different: %q, %q", s, a, b)
		}
	}
	_, compatible := score(t, "compatible.txt", func(l string) (bool, string) {
		a, b, _ := strings.Cut(l, " | ")
		return SameAction(a, b) >= threshold, ""
	})
	for i, name := range []string{"looked at", "never looked at"} {
		hits, wrong := same[i].right, different[i].all-different[i].right
		t.Logf("%s: %d same pairs, %d different pairs: precision %.3f, recall %.3f, different pairs kept apart %.3f", name,
			same[i].all, different[i].all, float64(hits)/float64(max(hits+wrong, 1)), same[i].share(), different[i].share())
	}
	want(t, "same pairs", same[1], 0.9)
	want(t, "different pairs", different[1], 0.95)
	want(t, "compatible pairs", compatible, 0.8)
}

func BenchmarkSameAction(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		SameAction("Always tell customers about our VAT number.", "Say something about the delivery address.")
	}
}
