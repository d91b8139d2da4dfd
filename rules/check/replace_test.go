package check

import "testing"

// Replacement must understand how people say that something takes another's place.
func TestReplacement(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ comment, now, new, old string }{
		{"Mention the ember desk instead of the amber desk.", "Mention the ember desk.", "the ember desk", "the amber desk"},
		{"Never mention the amber desk, mention the ember desk.", "Mention the ember desk.", "the ember desk", "the amber desk"},
		{"No longer the amber desk, now the ember desk.", "", "the ember desk", "the amber desk"},
		{"The ember desk, not the amber desk.", "", "The ember desk", "the amber desk"},
		{"Replace the amber desk with the ember desk", "", "the ember desk", "the amber desk"},
		{"Use the ember desk rather than the amber desk", "Use the ember desk.", "the ember desk", "the amber desk"},
		{"Stop saying amber desk, say ember desk", "Say ember desk.", "ember desk", "amber desk"},
		{"It's the ember desk now, not the amber desk.", "", "the ember desk", "the amber desk"},
		{"It is the ember desk now, not the amber desk any more.", "", "the ember desk", "the amber desk"},
		{"Please refer to the ember desk from now on and no longer to the amber desk", "Refer to the ember desk.", "the ember desk", "the amber desk"},
		{"The amber desk does not exist any more, mention the ember desk", "Mention the ember desk.", "the ember desk", "The amber desk"},
		{"For refunds, mention the ember desk instead of the amber desk.", "Mention the ember desk.", "the ember desk", "the amber desk"},
		{`Say "ember" instead of "amber".`, `Say "ember".`, `"ember"`, `"amber"`},
		{"We switched from the amber desk to the ember desk.", "", "the ember desk", "the amber desk"},
		{"In future the ember desk should be named in place of the amber desk", "Name the ember desk.", "the ember desk", "the amber desk"},
		{"Don't point to the amber desk but to the ember desk.", "Point to the ember desk.", "the ember desk", "the amber desk"},
		{"The amber desk is gone, mention the ember desk from now on.", "Mention the ember desk.", "the ember desk", "The amber desk"},
		{"The amber desk has been replaced by the ember desk.", "", "the ember desk", "The amber desk"},
		{"Swap the amber desk for the ember desk, please.", "", "the ember desk", "the amber desk"},
		{"Not the amber desk. The ember desk!", "", "The ember desk", "the amber desk"},
		{"Use at most 40 words instead of 80 words.", "Use at most 40 words.", "at most 40 words", "80 words"},
		{"Answer in German, not in French", "Answer in German.", "German", "French"},
		{"Be formal rather than casual", "Be formal.", "formal", "casual"},
		{"Nicht mehr der Bernsteinschalter, sondern der Glutschalter", "", "der Glutschalter", "der Bernsteinschalter"},
		{"Erwähne den Glutschalter statt des Bernsteinschalters.", "Erwähne den Glutschalter.", "den Glutschalter", "des Bernsteinschalters"},
		{"Mentionnez le bureau rouge au lieu du bureau vert", "Mentionnez le bureau rouge.", "le bureau rouge", "bureau vert"},
		{"Menciona la oficina roja en lugar de la oficina verde", "Menciona la oficina roja.", "la oficina roja", "la oficina verde"},
	} {
		got, ok := Replacement(c.comment)
		if want := (Change{c.now, c.new, c.old}); !ok || got != want {
			t.Errorf("Replacement(%q) = %+v, %v, want %+v", c.comment, got, ok, want)
		}
	}
}

// What only forbids, contrasts or complains replaces nothing.
func TestReplacement_Nothing(t *testing.T) {
	t.Parallel()
	for _, comment := range []string{
		"Never mention the amber desk.", "This is not helpful.", "Not what I asked.", "Mention the fee, and do not forget the deadline.",
		"Wrong, not what I meant", "Please never use emojis, they are annoying", "Mention the price and not just the name", "Why not give the address?",
		"Don't be so long", "From now on answer in German", "Do not mention prices. Always link the page.", "Do not mention prices, link the page.",
		"I asked about my card, not the account",
	} {
		if got, ok := Replacement(comment); ok {
			t.Errorf("Replacement(%q) = %+v, want none", comment, got)
		}
	}
}

func TestChange_Apply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ comment, action, want string }{
		{"The ember desk, not the amber desk.", "Mention the amber desk.", "Mention the ember desk."},
		{"Not the amber desk. The ember desk!", "Always refer people to the amber desk.", "Always refer people to the ember desk."},
		{"It's the ember team now, not the amber team", `End with "the amber team".`, `End with "ember team".`},
		{"30, not 14", "Mention the 14 day window.", "Mention the 30 day window."},
		{"The ember desk, not the amber desk.", "Be brief.", ""},
	} {
		ch, ok := Replacement(c.comment)
		if got, _ := ch.Apply(c.action); !ok || got != c.want {
			t.Errorf("%q applied to %q: %q (%v), want %q", c.comment, c.action, got, ok, c.want)
		}
	}
}

// An action that replaces something is compared by what is to be done now, and
// contradicts one that asks for what it replaces.
func TestReplacement_CompareActions(t *testing.T) {
	t.Parallel()
	const change = "Mention the ember desk instead of the amber desk."
	if s := SameAction(change, "Mention the ember desk."); s < SameThreshold {
		t.Errorf("the same wish: %.2f", s)
	}
	if s := SameAction(change, "Mention the amber desk."); s >= SameThreshold {
		t.Errorf("the replaced wish: %.2f", s)
	}
	if _, ok := Conflict(change, "Mention the amber desk.", nil, nil); !ok {
		t.Error("no conflict with what it replaces")
	}
	specs := Compile(change)
	if !verify(specs, "Ask the ember desk.") || verify(specs, "Ask the amber desk.") || verify(specs, "Ask the ember desk, not the amber desk.") {
		t.Errorf("checks %+v", specs)
	}
	if specs := Compile(`Say "parcel" instead of "package".`); !verify(specs, "It is on its way.") || verify(specs, "Your package is on its way.") {
		t.Errorf("checks of a choice of words %+v", specs)
	}
}

func verify(specs []Spec, answer string) bool {
	for _, s := range specs {
		if !s.Followed(answer) {
			return false
		}
	}
	return len(specs) > 0
}
