package check

import "testing"

// A wish of a checkable kind has the same check in every language, and so two that
// say it in two languages are one; those that only look alike are not.
func TestSameAction_AcrossLanguages(t *testing.T) {
	t.Parallel()
	for english, foreign := range map[string][]string{
		"Answer in German.":                     {"Antworte auf Deutsch.", "Réponds en allemand."},
		"Answer in at most 50 words.":           {"Antworte in höchstens 50 Wörtern.", "Réponds en 50 mots maximum.", "Responde en no más de 50 palabras.", "Höchstens 50 Wörter."},
		"Use at most three sentences.":          {"Antworte immer mit maximal drei Sätzen.", "Répondez en trois phrases au plus.", "Responde en tres frases como máximo."},
		`Mention the "tracking page".`:          {`Erwähne immer die "tracking page".`, `Mentionnez toujours «tracking page».`, `Menciona siempre la "tracking page".`, `Bitte erwähne die „tracking page“.`},
		`Never mention "Amber".`:                {`Erwähne niemals "Amber".`, `Ne mentionne jamais "Amber".`, `Nunca menciones "Amber".`},
		`Begin every answer with "Hello dear".`: {`Beginne jede Antwort mit "Hello dear".`, `Commence toujours par "Hello dear".`, `Empieza con "Hello dear".`},
		`End with "See you".`:                   {`Ende mit "See you".`, `Termine par "See you".`, `Termina con "See you".`},
		"Use bullet points.":                    {"Nutze Stichpunkte.", "Verwende Aufzählungen.", "Utilise des listes à puces.", "Usa viñetas."},
		"Use a table.":                          {"Verwende eine Tabelle.", "Utilisez un tableau.", "Usa una tabla."},
		"Do not use emojis.":                    {"Keine Emojis verwenden.", "Verwende keine Emojis.", "N'utilise pas d'emojis.", "No uses emojis."},
	} {
		for _, f := range foreign {
			if !Checkable(f) || SameAction(english, f) < 1 {
				t.Errorf("%q (%+v) and %q (%+v) are alike %.2f", english, Compile(english), f, Compile(f), SameAction(english, f))
			}
		}
	}
	for _, p := range [][2]string{
		{"Answer in at most 50 words.", "Antworte in höchstens 60 Wörtern."}, {`Mention the "tracking page".`, `Erwähne niemals "tracking page".`},
		{`Begin with "Hello".`, `Ende mit "Hello".`}, {"Use bullet points.", "Verwende eine Tabelle."}, {"Answer in German.", "Réponds en espagnol."},
		{"Do not use emojis.", "Verwende Emojis."}, {`Mention "A".`, `Erwähne "A" und den Preis.`},
	} {
		if s := SameAction(p[0], p[1]); s >= SameThreshold {
			t.Errorf("%q and %q are alike %.2f", p[0], p[1], s)
		}
	}
	if s, ok := Conflict(`Mention the "tracking page".`, `Erwähne niemals "tracking page".`, Compile(`Mention the "tracking page".`), Compile(`Erwähne niemals "tracking page".`)); !ok {
		t.Errorf("opposite wishes in two languages do not contradict: %q", s)
	}
}
