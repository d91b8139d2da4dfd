package check

import (
	"strings"
	"testing"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	for _, action := range []string{
		"Say that returns are free for 60 days.", "Always mention that gift cards never expire.", "Tell customers that the hotline closes at eight.",
		"Point out that opened cosmetics cannot come back.", "Be brief. State that the fee is five euros.", "Erwähne, dass die Rückgabe kostenlos ist.",
		"Mentionnez que la livraison est gratuite.", "Menciona que el envío es gratis.", "Remind people that the office moved.",
		"Mention gift cards cannot be refunded.", "Tell customers the hotline closes at eight.", "Let people know shipping costs 5 euros.", "Answer that pets are welcome.",
		"The return window is 30 days.", "Refunds take five working days.", "Be brief. Returns are free.", "Der Versand ist kostenlos.", "La livraison est gratuite.", "Home delivery costs €9.", `Start with "The fee is five euros".`, `Always mention "Returns are free for 60 days."`, `Erwähne "Der Versand ist kostenlos".`,
	} {
		if !Claims(action) {
			t.Errorf("%q claims nothing", action)
		}
	}
	for _, action := range []string{
		"Mention the 30 day return window.", "Say that you do not know.", "Never say that returns are free.", "Tell people to bring a passport.",
		"Answer in German.", "Make sure that the link works.", "Say that the assistant cannot see orders.", "State the price that the customer asked for.", "Tell customers about the return window.",
		"Answers are short and friendly.", "The tone is formal.", "Make sure answers are short.", "Mention when the store opens.", "Say what the fee is.", "Tell people never to send cash.",
		"Mention the shipping costs.", "Mention the issue number.", "Ask whether the item is damaged.", "Copy the total into the last line.", "It should be shorter.", "Say if the item is in stock.",
		"Use short sentences when the customer is angry.", "Antworten sind kurz.", `Say "We are happy to help."`, `Mention the "tracking page".`, `Never say "returns are free".`, `End with "Is there anything else I can help you with?"`, `Add "This is not legal advice."`,
	} {
		if Claims(action) {
			t.Errorf("%q claims a fact", action)
		}
	}
}

// Ordinary rules of style are not taken for facts: of the honest lists, written for
// other tests, only lines that do assert something are.
func TestClaims_HonestRules(t *testing.T) {
	t.Parallel()
	bare := map[string]bool{"Mention gift cards cannot be refunded.": true}
	all, found := 0, 0
	for _, file := range []string{"honest.txt", "heldout_honest.txt", "fresh_honest.txt", "later_honest.txt"} {
		for _, l := range corpus(t, file) {
			if !strings.ContainsAny(l[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
				continue // a condition
			}
			all++
			if !Claims(l) {
				continue
			}
			found++
			if !bare[l] && !strings.Contains(l, " that ") && !strings.Contains(l, ", dass ") && !strings.Contains(l, " que ") {
				t.Errorf("%s: %q is taken for a fact", file, l)
			}
		}
	}
	t.Logf("%d of %d honest rules assert a fact", found, all)
	if found < 40 {
		t.Errorf("only %d honest lines assert a fact", found)
	}
	for _, file := range []string{"instructions.txt", "heldout_instructions.txt", "fresh_instructions.txt"} {
		for _, l := range corpus(t, file) {
			if a, ok := Instruction(l); ok && Claims(a) && !strings.Contains(a, " that ") && !strings.Contains(a, "dass") {
				t.Errorf("%s: %q is taken for a fact", file, a)
			}
		}
	}
}
