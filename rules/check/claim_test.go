package check

import "testing"

func TestClaims(t *testing.T) {
	t.Parallel()
	for _, action := range []string{
		"Say that returns are free for 60 days.", "Always mention that gift cards never expire.", "Tell customers that the hotline closes at eight.",
		"Point out that opened cosmetics cannot come back.", "Be brief. State that the fee is five euros.", "Erwähne, dass die Rückgabe kostenlos ist.",
		"Mentionnez que la livraison est gratuite.", "Menciona que el envío es gratis.", "Remind people that the office moved.",
	} {
		if !Claims(action) {
			t.Errorf("%q claims nothing", action)
		}
	}
	for _, action := range []string{
		"Mention the 30 day return window.", "Say that you do not know.", "Never say that returns are free.", "Tell people to bring a passport.",
		"Answer in German.", "Make sure that the link works.", "Say that the assistant cannot see orders.", "State the price that the customer asked for.", "Tell customers about the return window.",
	} {
		if Claims(action) {
			t.Errorf("%q claims a fact", action)
		}
	}
}
