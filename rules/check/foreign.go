package check

import (
	"regexp"
	"strings"
)

// foreign reads the common forms of German, French and Spanish, and what is marked as
// an instruction in more languages. The action stays in the person's language.
func foreign(s string, polite bool) (string, bool) {
	if translated(s) != s { // a length, a format, emojis: what to do is said by its form
		if _, ok := compileClause(s); ok {
			return s, true
		}
	}
	if errandAbroad.MatchString(s) && !standingAbroad.MatchString(s) {
		return "", false
	}
	for _, f := range foreignForms {
		m := f.re.FindStringSubmatch(s)
		if m == nil || f.polite && !polite || foreignEmpty.MatchString(m[1]) {
			continue
		}
		return strings.ReplaceAll(f.to, "$1", strings.TrimSpace(m[1])), true
	}
	return marked(s)
}

var (
	// errandAbroad is what one person wants now, or misses in the world: "gib mir mein
	// Geld zurück", "il manque mon colis", "responde a mi pregunta".
	errandAbroad = regexp.MustCompile(`(?i)(?:^| )(?:meine?[mnrs]? |mon |ma (?:question|commande|facture|livraison|demande)|mis? )\pL*|^(?:gib|nenne?|sage?|schreibe?|schicke?|zeige?|erkläre?) mir |^(?:donne[zr]?|dis|dites|envoyez|écrivez|montre[zr]?)[- ]moi |^antworten?(?: \pL+)? auf die frage$|^répond(?:s|ez|re) à la question$|^responde[r]? (?:a )?la pregunta$|^es fehl(?:t|en) (?:nichts|mir an)\b`)
	// standingAbroad is said of every answer, or forbids.
	standingAbroad = regexp.MustCompile(`(?i)\b(?:immer|stets|künftig|nicht|nie|niemals|keine?[mnrs]?|toujours|jamais|ne|pas|siempre|nunca|no)\b|n'`)
)

// foreignForms: what is said, and what it becomes ($1 is the words kept).
var foreignForms = []struct {
	re     *regexp.Regexp
	to     string
	polite bool // needs a please
}{
	{regexp.MustCompile(`(?i)^(auf (?:deutsch|englisch|französisch|spanisch))$`), "Antworte $1", true},
	{regexp.MustCompile(`(?i)^(en (?:français|anglais|allemand|espagnol))$`), "Répondez $1", true},
	{regexp.MustCompile(`(?i)^(en (?:español|castellano|inglés|alemán))$`), "Responde $1", true},
	// German
	{regexp.MustCompile(`(?i)^((?:(?:nie|niemals|immer|stets|auch) )?(?:erwähne?|nenne?|schreibe?|sag|sage|gib|verlinke?|verweise?|füge|vermeide?|antworte?|beginne?|beende?|verwende?|benutze?|nutze?|zeige?|liste|erkläre?|formuliere?|halte?|weise|biete|frage?|begrüße?|duze?|sieze?|lasse?|runde?|übersetze?|erwähnen|nennen|schreiben|sagen|angeben|verlinken|antworten|vermeiden|verwenden|benutzen|beginnen|weglassen)(?: sie)? .+)$`), "$1", false},
	{regexp.MustCompile(`(?i)^(.+ (?:erwähnen|nennen|schreiben|sagen|angeben|verlinken|vermeiden|verwenden|benutzen|weglassen|antworten|hinzufügen|hinweisen|anbieten|fassen|halten|beginnen|beenden|auflisten|zeigen|erklären))$`), "$1", true},
	{regexp.MustCompile(`(?i)^((?:immer|nie|niemals|keine?n?|stets) .+ (?:erwähnen|nennen|schreiben|sagen|angeben|verlinken|vermeiden|verwenden|benutzen|weglassen|antworten|hinzufügen|hinweisen|anbieten))$`), "$1", false},
	{regexp.MustCompile(`(?i)^(?:du|sie|man|er|es|das|(?:die|diese|so eine|jede|eine) antwort|der (?:bot|assistent)|antworten|die antworten|solche antworten) (?:solltest|sollte|sollten|musst|muss|müssen|soll|sollst|sollen|könntest|hättest|hätte)(?: auch| immer)? (.+?(?:en|ern|eln))(?: sollen| müssen)?$`), "$1", false},
	{regexp.MustCompile(`(?i)^(?:du|sie|es|man|die antwort|der bot) (?:hast|haben|hat|wurde)?(?: vergessen|vergisst|vergaß),? (.+?) zu (?:erwähnen|nennen|sagen|schreiben)$`), "Erwähne $1", false},
	{regexp.MustCompile(`(?i)^(?:es fehlt|es fehlen|mir fehlt|hier fehlt)(?: noch| aber)?(?: der hinweis auf| ein hinweis auf| die angabe)? (.+)$`), "Erwähne $1", false},
	{regexp.MustCompile(`(?i)^(?:sollte|müsste|muss|solltest)(?: auch| immer)? (.+?(?:en|ern|eln))$`), "$1", false},
	{regexp.MustCompile(`(?i)^(?:der |ein |die |eine |jeder |jeglicher )?(?:hinweis|angabe|information|satz|erwähnung) (?:auf|zu|zur|zum|der|des|über|von) (.+) (?:fehlt|fehlte|wäre gut|wäre hilfreich|wäre schön)(?: hier| noch)?$`), "Erwähne $1", false},
	{regexp.MustCompile(`(?i)^(?:kein wort|keine erwähnung|nichts|kein hinweis) (?:zu|zur|zum|über|von|der|des|auf) (.+)$`), "Erwähne $1", false},
	{regexp.MustCompile(`(?i)^(?:ich möchte|ich will|ich wünsche mir|ich hätte gern|wir möchten),? dass (?:du|sie|die antwort|der bot) (.+?(?:st|t|en))$`), "$1", false},
	{regexp.MustCompile(`(?i)^(keine?n? (?:emojis|floskeln|fachbegriffe|aufzählungen|listen|links|abkürzungen|tabellen|anglizismen).*)$`), "$1", false},
	// French
	{regexp.MustCompile(`(?i)^(?:veuillez|merci de|prière de|pensez à|pense à|il faut|il faudrait|il fallait|(?:vous|tu) (?:devriez|devrais|devez|dois|pourriez|auriez dû|aurais dû)|(?:(?:la|cette|une|chaque) réponse|le bot|l'assistant|ça|cela|elle|il|on) (?:devrait|doit|aurait dû)) ((?:toujours |aussi |ne (?:pas|jamais) )?\pL+(?:er|ir|re) .+)$`), "$1", false},
	{regexp.MustCompile(`(?i)^((?:ne |n')?(?:mentionne[zr]?|indique[zr]?|ajoute[zr]?|inclue?[zs]?|inclure|incluez|utilise[zr]?|évite[zr]?|évite|répondez|réponds|répondre|oublie[zr]?|cite[zr]?|donne[zr]?|précise[zr]?|commence[zr]?|termine[zr]?|propose[zr]?|écri(?:vez|s|re)|faites|fais|limite[zr]?|reste[zr]?|parle[zr]?)(?: pas| jamais| toujours)? .+)$`), "$1", false},
	{regexp.MustCompile(`(?i)^((?:toujours|jamais|ne jamais|ne pas|pas d[e'] ?)\b ?.+)$`), "$1", true},
	{regexp.MustCompile(`(?i)^((?:toujours|ne jamais|ne pas) \pL+(?:er|ir|re) .+)$`), "$1", false},
	{regexp.MustCompile(`(?i)^(?:il manque|il manquait) (.+)$`), "Mentionnez $1", false},
	{regexp.MustCompile(`(?i)^(?:aucune mention|pas un mot|rien|aucun mot|pas de mention) (?:de |du |des |d'|sur )(.+)$`), "Mentionnez $1", false},
	{regexp.MustCompile(`(?i)^(?:(?:vous avez|tu as|le bot a|la réponse a) (?:oublié|omis)(?: de mentionner| d'indiquer)?) (.+)$`), "Mentionnez $1", false},
	// Spanish
	{regexp.MustCompile(`(?i)^(?:(?:usted |tú |(?:la|esta|cada|una) respuesta |el bot |el asistente |ella |él )?(?:debes?|debería[sn]?|deben|tienes? que|tendría[sn]? que|podría[sn]?)|hay que|habría que|hace falta) ((?:siempre |también |no )?\pL+(?:ar|er|ir)(?:se|lo|la)? .+)$`), "$1", false},
	{regexp.MustCompile(`(?i)^((?:(?:no|nunca|siempre) )?(?:mencion(?:a|e|es|ar)|incluy(?:e|a|as)|incluir|añad(?:e|a|as|ir)|agreg(?:a|ue|ar)|us(?:a|e|ar)|evit(?:a|e|es|ar)|respond(?:e|a|as|er)|indi(?:ca|que|ques|car)|escrib(?:e|a|as|ir)|termin(?:a|e|es|ar)|empie(?:za|ce)|ofre(?:ce|zca)|di|diga|digas|utili(?:za|ce|ces|zar)|explica|explique|olvides?|cita|cite)(?: siempre| nunca)? .+)$`), "$1", false},
	{regexp.MustCompile(`(?i)^(?:falta|faltan|faltó)(?: mencionar)? (.+)$`), "Menciona $1", false},
	{regexp.MustCompile(`(?i)^(?:no se (?:menciona|menciona[n]?|dice nada (?:de|sobre))|ninguna mención (?:de|del|a|al)|ni una palabra (?:de|sobre)|no menciona|no mencionó) (.+)$`), "Menciona $1", false},
	{regexp.MustCompile(`(?i)^(?:(?:te )?olvidaste|olvidó|se olvidó|has olvidado)(?: de)?(?: mencionar)? (.+)$`), "Menciona $1", false},
}

// foreignEmpty finds objects that say nothing.
var foreignEmpty = regexp.MustCompile(`(?i)^(?:(?:die|eine?|der|das|la|le|les|una?|el|los|las|des|de|d'|l')\s?)?(?:antwort(?:en)?|information(?:en)?|infos?|informations?|informaci[oó]n|réponses?|respuestas?|alles|tout|todo|detalles?|details?|détails?)(?: .*)?$|^(?:no (?:responde|menciona|incluye|indica|explica|ofrece|di|usa)|ne (?:répond|mentionne|donne|cite|précise|propose|parle) |n'indique )\b.*|^(?:an\b|besser|richtig|mieux|mejor|répondre à|responder a|auf (?:die|meine) frage)`)
