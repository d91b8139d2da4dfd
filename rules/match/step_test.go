package match

import (
	"regexp"
	"testing"
)

func TestFingerprint_StaysWithDateNamePassages(t *testing.T) {
	base := []string{"You are a helpful assistant of the shop Acme. Answer the user's questions about orders politely."}
	want := Fingerprint(base, []string{"search", "order_status"}, "")
	if !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(want) {
		t.Fatalf("fingerprint %q is not 12 hex digits", want)
	}
	for name, system := range map[string]string{
		"date before": "Today is Monday, 23 November 2026.\nYou are a helpful assistant of the shop Acme. Answer the user's questions about orders politely.",
		"date after":  "You are a helpful assistant of the shop Acme. Answer the user's questions about orders politely.\nCurrent time: 2026-11-23T20:15:00Z",
		"a name":      "You are a helpful assistant of the shop Acme. Answer the user's questions about orders politely. The customer's name is Anna Berger.",
		"passages":    "You are a helpful assistant of the shop Acme. Answer the user's questions about orders politely.\n\n<context>\nRefunds take five days.\nYou can return items.\n</context>",
		"more":        "You are a helpful assistant of the shop Acme. Answer the user's questions about orders politely.\n\nRefunds take five days. Parcels come by post.",
		"other shop":  "You are a helpful assistant of the shop Bolt. Answer the user's questions about orders politely.",
	} {
		if got := Fingerprint([]string{system}, []string{"order_status", "search"}, ""); got != want {
			t.Errorf("%s: fingerprint %s, want %s: %q", name, got, want, taskSentences([]string{system}))
		}
	}
}

func TestFingerprint_DiffersBetweenSteps(t *testing.T) {
	seen := map[string]string{}
	for name, f := range map[string]string{
		"answer":       Fingerprint([]string{"You are a helpful assistant of the shop. Answer the user's questions about orders politely."}, nil, ""),
		"title":        Fingerprint([]string{"You are a helpful assistant. Generate a short title for the conversation, at most five words."}, nil, ""),
		"rewriter":     Fingerprint([]string{"Given the conversation, rewrite the last question so that it stands alone."}, nil, ""),
		"router":       Fingerprint([]string{"Classify the message into one of these categories: billing, orders, other. Return only the label."}, nil, ""),
		"guard":        Fingerprint([]string{"You are a safety filter. Decide whether the user's message is allowed."}, nil, "json:verdict"),
		"no prompt":    Fingerprint(nil, nil, ""),
		"with tools":   Fingerprint(nil, []string{"search"}, ""),
		"other format": Fingerprint(nil, nil, "json_object"),
		"german":       Fingerprint([]string{"Du bist ein Assistent. Beantworte die Fragen der Kunden."}, nil, ""),
		"chinese":      Fingerprint([]string{"你是一个客服助手。请回答用户的问题。"}, nil, ""),
	} {
		if other, ok := seen[f]; ok {
			t.Errorf("%s and %s have the same fingerprint %s", name, other, f)
		}
		seen[f] = name
	}
}

func FuzzFingerprint(f *testing.F) {
	f.Add("You are x. Answer y.", "tool", "json")
	f.Add("<a><a><a", "", "\xff")
	f.Add("```\"“«", "\x00", "")
	f.Add("  ", "t", "")
	f.Fuzz(func(t *testing.T, system, tool, format string) {
		a := Fingerprint([]string{system, format}, []string{tool, "b"}, format)
		if b := Fingerprint([]string{system, format}, []string{"b", tool, tool}, format); len(a) != 12 || a != b {
			t.Errorf("fingerprints %q and %q of the same tools in another order", a, b)
		}
	})
}
