package check

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestInstruction_Corpus measures precision and recall on labelled comments and
// compares the cleaned action where the corpus names it.
func TestInstruction_Corpus(t *testing.T) {
	instructions, complaints := corpus(t, "instructions.txt"), corpus(t, "complaints.txt")
	found, named, clean := 0, 0, 0
	for _, l := range instructions {
		comment, want, _ := strings.Cut(l, "\t")
		got, ok := Instruction(comment)
		if ok {
			found++
		} else {
			t.Logf("missed: %q", comment)
		}
		if want != "" {
			named++
			if got == want {
				clean++
			} else if ok {
				t.Logf("%q: action %q, want %q", comment, got, want)
			}
		}
	}
	wrong := 0
	for _, l := range complaints {
		if got, ok := Instruction(l); ok {
			wrong++
			t.Logf("taken for an instruction: %q: %q", l, got)
		}
	}
	precision, recall := float64(found)/float64(found+wrong), float64(found)/float64(len(instructions))
	t.Logf("instructions %d, complaints %d: precision %.3f, recall %.3f, false positives %d (%.1f %%), action as expected %d of %d",
		len(instructions), len(complaints), precision, recall, wrong, 100*float64(wrong)/float64(len(complaints)), clean, named)
	if len(instructions) < 120 || len(complaints) < 120 || precision < 0.95 || recall < 0.9 || float64(clean) < 0.9*float64(named) {
		t.Errorf("precision %.3f, recall %.3f, clean %d of %d: want 0.95, 0.90, 90 %%", precision, recall, clean, named)
	}
}

func TestInstruction_Several(t *testing.T) {
	got, ok := Instruction("This is wrong. Mention the deadline. I am annoyed! Never use emojis.")
	if got, ok := Instruction("Here, please no emojis."); !ok || got != "Use no emojis." {
		t.Errorf("a please at the start: got %q, %v", got, ok)
	}
	if want := "Mention the deadline. Never use emojis."; !ok || got != want {
		t.Errorf("got %q, %v, want %q", got, ok, want)
	}
	for said, want := range map[string]string{
		"I like it when you use bullet points": "Use bullet points.",
		"I like short answers":                 "Give short answers.",
		"Keep it under 30 words for me.":       "Keep it under 30 words.",
		"Keep it short for me, please":         "Keep it short.",
		"Use the size that is best for me":     "Use the size that is best for me.",
	} {
		if got, ok := Instruction(said); !ok || got != want {
			t.Errorf("%q: got %q, %v, want %q", said, got, ok, want)
		}
	}
	long := strings.Repeat("Always mention the returns page of the shop. ", 60)
	if got, ok := Instruction(long); !ok || utf8.RuneCountInString(got) > MaxLength {
		t.Errorf("got %d characters, %v", utf8.RuneCountInString(got), ok)
	}
}

// What is wished in few words, or with a verb that says nothing, gets the check that a
// whole sentence gets.
func TestInstruction_Terse(t *testing.T) {
	for _, c := range []struct{ said, action, spec string }{
		{"Answer me in German", "Answer in German.", "language de"},
		{"I always want answers in German", "Answer in German.", "language de"},
		{"I need the answer in French", "Answer in French.", "language fr"},
		{"is it possible to answer in German?", "Answer in German.", "language de"},
		{"English only, please", "Answer in English.", "language en"},
		{"no emojis!", "Use no emojis.", "not has emoji"},
		{"please no more emojis", "Use no emojis.", "not has emoji"},
		{"I hate emojis", "Use no emojis.", "not has emoji"},
		{"I don't want to see any links", "Do not include links.", "not has link"},
		{"I want bullet points", "Use bullet points.", "format bullets"},
		{"You forgot the bullet points.", "Use bullet points.", "format bullets"},
		{"I'd rather have a table", "Use a table.", "format table"},
		{"max 3 sentences please", "Answer in max 3 sentences.", "max sentences"},
		{"plain text only", "Answer in plain text.", "not has markdown"},
		{"Try to be brief", "Be brief.", ""},
		{"Bitte höchstens 3 Sätze", "Höchstens 3 Sätze.", "max sentences"},
		{"3 phrases maximum svp", "3 phrases maximum.", "max sentences"},
		{"máximo 3 frases por favor", "Máximo 3 frases.", "max sentences"},
		{"maximal 50 Wörter", "Maximal 50 Wörter.", "max words"},
		{"auf Deutsch bitte", "Antworte auf Deutsch.", "language de"},
		{"en français svp", "Répondez en français.", "language fr"},
		{"en español por favor", "Responde en español.", "language es"},
		{"sin emojis por favor", "Sin emojis.", "not has emoji"},
		{"Personally I prefer bullet points", "Prefer bullet points.", "format bullets"},
		{"for me please no bullet points", "Do not use bullet points.", "not format bullets"},
		{"could you give me the price in euros next time", "Give the price in euros.", ""},
		{"Prices should always be in euros", "Give prices in euros.", ""},
		{"I would like the date in ISO format", "Include the date in ISO format.", ""},
		{"I want you to address me formally", "Address me formally.", ""},
		{"simpler language please", "Use simpler language.", ""},
		{"Refrain from using emojis", "Avoid using emojis.", "not has emoji"},
		{"Call me Sam", "Call me Sam.", ""},
		{"I do not want to be called buddy", "Do not call me buddy.", ""},
		{"I never want to see the disclaimer again", "Do not include the disclaimer.", ""},
		{"I expect complete sentences", "Use complete sentences.", ""},
		{"The tone should be friendlier", "Be friendlier.", ""},
		{"not so many emojis please", "Use fewer emojis.", ""},
		{"Offer alternatives, if something is sold out", "Offer alternatives, if something is sold out.", ""},
	} {
		got, ok := Instruction(c.said)
		spec := ""
		for _, s := range Compile(got) {
			spec += map[bool]string{true: "not "}[s.Not] + s.Kind + " " + s.Args[0]
		}
		if !ok || got != c.action || spec != c.spec {
			t.Errorf("Instruction(%q) = %q, %v, checked as %q, want %q checked as %q", c.said, got, ok, spec, c.action, c.spec)
		}
	}
	for _, s := range []string{"auf Deutsch ist das falsch", "en français c'est mieux", "for me it does not work", "3 phrases", "no sources", "no idea what this means", "I want my money back", "I need it in black", "I love the short answers", "how about an answer?",
		"is it possible to talk to someone?", "call me back", "not in German", "I don't like this", "try harder", "I want to be called back", "not so many answers", "no jargon was explained", "the table is wrong"} {
		if got, ok := Instruction(s); ok {
			t.Errorf("Instruction(%q) = %q, want none", s, got)
		}
	}
}

// What one person wants now, or misses in the world, is no instruction in other
// languages either.
func TestInstruction_ErrandsAbroad(t *testing.T) {
	for _, said := range []string{"Gib mir mein Geld zurück", "mir fehlt mein Paket", "Es fehlt nichts", "Nenne mir den Preis", "Antworte auf meine Frage",
		"il manque mon colis", "vous avez oublié mon colis", "répondez à ma question", "falta mi paquete", "responde mi pregunta", "responde a la pregunta"} {
		if got, ok := Instruction(said); ok {
			t.Errorf("Instruction(%q) = %q, want none", said, got)
		}
	}
	for said, want := range map[string]string{
		"Es fehlt der Hinweis auf die Versandkosten": "Erwähne die Versandkosten.",
		"Frage nicht nach meiner Bestellnummer":      "Frage nicht nach meiner Bestellnummer.",
		"Nenne mir immer den Preis":                  "Nenne mir immer den Preis.",
		"Sieze mich bitte":                           "Sieze mich.",
		"Il manque le prix":                          "Mentionnez le prix.",
		"falta el precio":                            "Menciona el precio.",
		"Menciona el mes":                            "Menciona el mes.",
		"Usa un tono formale ma gentile":             "Usa un tono formale ma gentile.",
	} {
		if got, ok := Instruction(said); !ok || got != want {
			t.Errorf("Instruction(%q) = %q, %v, want %q", said, got, ok, want)
		}
	}
}

// What is said about the world, and that something is not needed, is no wish to
// mention it; "never mentions" tells what happened, in any form of the verb.
func TestInstruction_Omission(t *testing.T) {
	for said, want := range map[string]string{
		"There is no delivery on Sundays":                  "",
		"there are no shops in Norway":                     "",
		"There's no need to apologize five times":          "Do not apologize five times.",
		"There was no need for the long disclaimer":        "",
		"there is no fee for returns":                      "",
		"There is no link to the returns page":             "Include a link to the returns page.",
		"There was no mention of the fee":                  "Mention the fee.",
		"There is no price in the answer":                  "Mention price.",
		"It never mentions my country's holidays":          "Mention my country's holidays.",
		"The bot never lists the opening hours":            "Mention the opening hours.",
		"it never includes sources":                        "Include sources.",
		"You forgot my birthday discount":                  "",
		"my bag is missing":                                "",
		"You forgot the birthday discount":                 "Mention the birthday discount.",
		"it would be nice to know when my parcel arrives":  "",
		"never states the fee":                             "Mention the fee.",
		"never mention the fee":                            "Never mention the fee.",
		"It doesn't cite sources":                          "Include sources.",
		"there is no example":                              "Include an example.",
		"You didn't mention the names of the participants": "Mention the names of the participants.",
	} {
		if got, ok := Instruction(said); got != want || ok != (want != "") {
			t.Errorf("Instruction(%q) = %q, %v, want %q", said, got, ok, want)
		}
	}
}

// What limits a wish stays with it, and a check sees what it can: "not always" is
// not "never", and an exception is not forgotten.
func TestInstruction_Limited(t *testing.T) {
	for _, c := range []struct{ said, action, spec string }{
		{"You should not always mention the return policy", "Do not always mention the return policy.", ""},
		{"You should not only list prices but also fees", "Do not only list prices but also fees.", ""},
		{"It should never remind me of my debts", "Never remind me of my debts.", ""},
		{"Answers should never come with disclaimers", "Do not include disclaimers.", ""},
		{"The answer should come with a link", "Include a link.", "has link"},
		{"Unless someone is a business customer, don't mention invoices", "Unless someone is a business customer, don't mention invoices.", ""},
		{"Before you answer, ask for the country", "Before you answer, ask for the country.", ""},
		{"As long as the store is closed, mention the online shop", "As long as the store is closed, mention the online shop.", ""},
		{"Please answer in English even if the customer writes in German", "Answer in English even if the customer writes in German.", ""},
		{"mention the holiday delays but not for express", "Mention the holiday delays but not for express.", ""},
		{"mention the fee less often", "Mention the fee less often.", ""},
		{"should mention the express option too imo", "Mention the express option.", "mention express option"},
		{"can you please not mention competitors", "Do not mention competitors.", "not mention competitors"},
		{"would you mind not using emojis?", "Do not use emojis.", "not has emoji"},
		{"can you not give a straight answer?", "", ""},
		{"If possible, mention the fee", "Mention the fee.", "mention fee"},
	} {
		got, ok := Instruction(c.said)
		spec := ""
		for _, s := range Compile(got) {
			spec += map[bool]string{true: "not "}[s.Not] + s.Kind + " " + s.Args[0]
		}
		if got != c.action || ok != (c.action != "") || spec != c.spec {
			t.Errorf("Instruction(%q) = %q, %v, checked as %q, want %q checked as %q", c.said, got, ok, spec, c.action, c.spec)
		}
		if cond, _, ok := AppliesWhen(c.said); ok && strings.Contains(c.said, "even if") {
			t.Errorf("AppliesWhen(%q) = %q, want none", c.said, cond)
		}
	}
}

// People type in a hurry, and wish by way of an opinion.
func TestInstruction_Hurried(t *testing.T) {
	for said, want := range map[string]string{
		"u didnt mention the fee":                                     "Mention the fee.",
		"cud u make it shorter next time thx":                         "Make it shorter.",
		"the answer shouldnt contain any prices":                      "Do not include prices.",
		"it shouldve listed the opening hours":                        "List the opening hours.",
		"dont mention the fee":                                        "Dont mention the fee.",
		"the price doesn't need to be mentioned":                      "Do not mention the price.",
		"links do not have to be included here":                       "Do not include links here.",
		"the price needs to be mentioned":                             "Mention the price.",
		"Would have been nice to know the fee upfront":                "Mention the fee upfront.",
		"it would be better not to mention the price":                 "Do not mention the price.",
		"better not mention the price":                                "Do not mention the price.",
		"try not to use so many emojis":                               "Do not use so many emojis.",
		"I don't think you should mention competitors":                "Do not mention competitors.",
		"I wouldn't mention competitors here":                         "Do not mention competitors.",
		"I can't believe you didn't mention customs fees":             "Mention customs fees.",
		"I hate that it never mentions the deadline":                  "Mention the deadline.",
		"I'd rather you didn't use emojis":                            "Do not use emojis.",
		"No need to repeat my question":                               "Do not repeat my question.",
		"I don't want to hear about your newsletter":                  "Do not mention your newsletter.",
		"Can't you just give the number of days first?":               "Give the number of days first.",
		"it didnt answer my question":                                 "",
		"u suck":                                                      "",
		"can't you read?":                                             "",
		"I wouldn't recommend this bot":                               "",
		"I don't think it should take two weeks":                      "",
		"I hate it when you don't mention the deadline":               "Mention the deadline.",
		"I hate it when you do not mention the deadline":              "Mention the deadline.",
		"I hate it when you mention prices":                           "Do not mention prices.",
		"I can't believe it took so long":                             "",
		"no need to call me back":                                     "",
		"It'd be a shame to mention the price":                        "",
		"You must be kidding, I can't believe you didn't refund me":   "",
		"Il faut toujours mentionner le produit dont le client parle": "Toujours mentionner le produit dont le client parle.",
	} {
		if got, ok := Instruction(said); got != want || ok != (want != "") {
			t.Errorf("Instruction(%q) = %q, %v, want %q", said, got, ok, want)
		}
	}
}

// Of several conditions none is lost, and none is put upon another's instruction.
func TestInstruction_SeveralConditions(t *testing.T) {
	for _, c := range []struct{ said, action, cond string }{
		{"For returns, mention the label. For shipping, mention the days.", "For returns, mention the label. For shipping, mention the days.", ""},
		{"Mention the fee. If the customer is angry, apologize first.", "Mention the fee. If the customer is angry, apologize first.", ""},
		{"If the customer is angry, apologize first. Offer a voucher.", "Apologize first. Offer a voucher.", "the customer is angry"},
		{"Bad. Whenever people ask about refunds, say 5 days.", "Say 5 days.", "people ask about refunds"},
	} {
		got, ok := Instruction(c.said)
		cond, _, _ := AppliesWhen(c.said)
		if !ok || got != c.action || cond != c.cond {
			t.Errorf("%q: got %q when %q, want %q when %q", c.said, got, cond, c.action, c.cond)
		}
	}
	const said = "If the customer is angry, apologize first."
	if got, ok := WholeInstruction(said); !ok || got != "If the customer is angry, apologize first." {
		t.Errorf("WholeInstruction(%q) = %q, %v", said, got, ok)
	}
}

func TestAppliesWhen(t *testing.T) {
	for _, c := range []struct{ comment, cond, rest string }{
		{"For return questions, always link the page.", "someone asks return questions", "always link the page."},
		{"When someone asks about shipping, mention the fee.", "someone asks about shipping", "mention the fee."},
		{"If the customer is angry, apologize first.", "the customer is angry", "apologize first."},
		{"Mention the deadline when someone asks about returns.", "someone asks about returns", "Mention the deadline."},
		{"For returns, mention the deadline.", "someone asks about returns", "mention the deadline."},
		{"For questions about invoices, name the portal.", "someone asks about invoices", "name the portal."},
		{"In case of damaged goods: ask for a photo.", "someone asks about damaged goods", "ask for a photo."},
		{"Wenn jemand nach Retouren fragt, nenne die Frist.", "jemand nach Retouren fragt", "nenne die Frist."},
		{"Bad. Whenever people ask about refunds, say 5 days.", "people ask about refunds", "Bad. say 5 days."},
	} {
		cond, rest, ok := AppliesWhen(c.comment)
		if !ok || cond != c.cond || rest != c.rest {
			t.Errorf("AppliesWhen(%q) = %q, %q, %v, want %q, %q", c.comment, cond, rest, ok, c.cond, c.rest)
		}
	}
	for _, s := range []string{"Always mention the deadline.", "It would be nice if you mentioned the fee.", "In future, be brief.", "If possible, be brief.", "", "For example, this is wrong.", "Next time, link the page."} {
		if cond, rest, ok := AppliesWhen(s); ok || rest != s {
			t.Errorf("AppliesWhen(%q) = %q, %q, true", s, cond, rest)
		}
	}
}

func TestFromCorrection(t *testing.T) {
	const answer = "You can return the shoes within the period. Please use our voucher for the next order."
	for _, c := range []struct{ correction, want string }{
		{answer + " Is there anything else I can help with?", `End with "Is there anything else I can help with?".`},
		{"Thanks for asking! " + answer, `Begin with "Thanks for asking!".`},
		{strings.Replace(answer, "voucher", "store credit", 1), `Say "store credit" instead of "voucher".`},
		{strings.Replace(answer, "can return", "cannot return", 1), ""},
		{answer + " Your parcel comes on Monday.", ""},
		{answer + " It costs 5 €.", ""},
		{"Something else entirely.", ""},
		{answer, ""}, {"", ""},
	} {
		got, ok := FromCorrection(answer, c.correction)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("FromCorrection(…, %q) = %q, %v, want %q", c.correction, got, ok, c.want)
		}
	}
}

func FuzzInstruction(f *testing.F) {
	for _, s := range []string{"You forgot the deadline.", "If x, y", "I'd like you to", strings.Repeat("please, ", 500), strings.Repeat("always ", 600), "\"\"'' … ß"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		begin := time.Now()
		a, ok := Instruction(s)
		if ok && (a == "" || utf8.RuneCountInString(a) > MaxLength) {
			t.Errorf("action of %d characters", utf8.RuneCountInString(a))
		}
		AppliesWhen(s)
		FromCorrection(s, a)
		FromCorrection(a, s)
		if d := time.Since(begin); d > 3*time.Second {
			t.Errorf("took %v for %d bytes", d, len(s))
		}
	})
}
