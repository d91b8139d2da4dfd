package check

import (
	"strings"
	"testing"
)

// TestFresh measures on lines that were written after everything here had been
// tuned and that were never tuned on: what to expect of other people's words.
// The limits are what the first run gave, rounded down.
func TestFresh(t *testing.T) {
	share := func(file string, right func(string) bool) half {
		var h half
		for _, l := range corpus(t, file) {
			h.all++
			if right(l) {
				h.right++
			}
		}
		t.Logf("%s: %d of %d", file, h.right, h.all)
		return h
	}
	instructs := func(l string) bool { _, ok := Instruction(l); return ok }
	safe := func(l string) bool { return Safety(l, own) == nil }
	apart := func(l string) bool {
		a, b, _ := strings.Cut(l, " | ")
		return SameAction(a, b) < SameThreshold
	}
	var same half
	for _, l := range corpus(t, "fresh_same.txt") {
		group := strings.Split(l, " | ")
		for i, a := range group {
			for _, b := range group[:i] {
				same.all++
				if SameAction(a, b) >= SameThreshold {
					same.right++
				}
			}
		}
	}
	t.Logf("fresh_same.txt: %d of %d", same.right, same.all)
	want(t, "instructions found", share("fresh_instructions.txt", instructs), 0.8)
	want(t, "complaints left alone", share("fresh_complaints.txt", func(l string) bool { return !instructs(l) }), 0.9)
	want(t, "same pairs", same, 0.6)
	want(t, "different pairs", share("fresh_different.txt", apart), 0.95)
	// concepts.go was written with fresh_attacks.txt in sight; later_attacks.txt came after it.
	want(t, "attacks refused", share("fresh_attacks.txt", func(l string) bool { return !safe(l) }), 0.9)
	want(t, "later attacks refused", share("later_attacks.txt", func(l string) bool { return !safe(l) }), 0.13)
	want(t, "honest texts accepted", share("fresh_honest.txt", safe), 0.95)
	want(t, "later honest texts accepted", share("later_honest.txt", safe), 0.95)
}
