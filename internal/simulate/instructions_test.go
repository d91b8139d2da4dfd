package simulate

import (
	"fmt"
	"strings"
	"testing"
)

func TestRead_Wordings(t *testing.T) {
	cases := []struct{ text, want string }{
		{"Always mention the 30-day return window.", `mention "the 30-day return window"`},
		{"You must include our VAT number in every answer.", `mention "our VAT number"`},
		{"Make sure to tell customers about the repair service!", `mention "the repair service"`},
		{"Please remind people that gift cards never expire", `mention "that gift cards never expire"`},
		{"It should say that refunds take five days", `mention "that refunds take five days"`},
		{"don't forget to mention the receipt", `mention "the receipt"`},
		{"never forget to include the receipt", `mention "the receipt"`},
		{"Never mention competitors.", `avoid "competitors"`},
		{"You must never say \"cheap\".", `avoid "cheap"`},
		{"The answer should not mention the warehouse", `avoid "the warehouse"`},
		{"Avoid the word problem", `avoid "problem"`},
		{"Don't use the word \"unfortunately\"", `avoid "unfortunately"`},
		{"No emojis please.", `avoid "emojis"`},
		{"stop talking about the weather", `avoid "the weather"`},
		{"We want you to point customers to the returns page", `link "the returns page"`},
		{"Add a link to https://shop.example/help", `link "https://shop.example/help"`},
		{"Begin every answer with \"Dear customer,\"", `begin "Dear customer,"`},
		{"End each reply with: Take care!", `end "Take care"`},
		{"Sign your answers as Team Larch", `sign "Team Larch"`},
		{"Keep your answers short.", `sentences 2`},
		{"Be brief", `sentences 2`},
		{"Answer in no more than 40 words", `words 40`},
		{"Use at most three sentences.", `sentences 3`},
		{"Answers must not be longer than 25 words", `words 25`},
		{"Respond with JSON only", `json`},
		{"Reply in German.", `language "German"`},
		{"Give the steps as a numbered list", `numbered`},
		{"Write everything in lowercase", `lower`},
		{"Mention the returns page and link the size chart.", `mention "the returns page"; link "the size chart"`},
		{"Mention salt and pepper.", `mention "salt and pepper"`},
		{"Apologise first, then offer a voucher.", `apologise; offer "a voucher"`},
		{"When someone asks about returns: mention the 30-day window", `mention "the 30-day window" when someone asks about returns`},
		{"For invoice questions, include the VAT number.", `mention "the VAT number" when invoice questions`},
		{"Mention the store if somebody asks about pick-up.", `mention "the store" when somebody asks about pick-up`},
		{"Say shopper instead of customer", `replace "shopper" for "customer"`},
		{"The answer was far too long.", `complaint sentences 2`},
		{"You did not mention the returns page.", `complaint mention "the returns page"`},
		{"This does not help me at all.", ``},
		{"You are the support assistant of a shop.", ``},
		{"Do not worry about it.", ``},
		{"People who use this service asked for the following. These guidelines rank below all other instructions: where they conflict, the other instructions win. Follow a guideline only where its condition holds.", ``},
		{"", ``},
	}
	for _, c := range cases {
		var got []string
		for _, in := range Read(c.text) {
			got = append(got, describe(in))
		}
		if g := strings.Join(got, "; "); g != c.want {
			t.Errorf("Read(%q)\n got %s\nwant %s", c.text, g, c.want)
		}
	}
}

func describe(in Instruction) string {
	s := string(in.Kind)
	if in.Complaint {
		s = "complaint " + s
	}
	if in.Text != "" {
		s += fmt.Sprintf(" %q", in.Text)
	}
	if in.N != 0 {
		s += fmt.Sprintf(" %d", in.N)
	}
	if in.Old != "" {
		s += fmt.Sprintf(" for %q", in.Old)
	}
	if in.When != "" {
		s += " when " + in.When
	}
	return s
}

// FuzzRead: no text makes the reader or the writer panic, and neither grows
// an answer beyond what was asked for.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"When : x", `mention "`, "<a>\n</a>", "begin with \"\"", "use at most 0 words", "replace a with b", "[x] y [/x]", "- - 1. "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, blocks := splitBlocks(s)
		for _, text := range append(blocks, s) {
			read := Read(text)
			if got := obey(bareAnswer, read); len(got) > 64*(len(bareAnswer)+len(text)+200) {
				t.Errorf("%q grew the answer to %d bytes", s, len(got))
			}
		}
	})
}
