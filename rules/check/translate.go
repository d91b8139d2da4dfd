package check

import (
	"regexp"
	"strings"
)

// translated puts a clause in German, French or Spanish into the English one that the
// forms read, where it is nothing but a length, a format, a quoted text to say or
// not, or emojis; any other stays. So a wish gets the same check in each language,
// and two people who wish the same are one.
func translated(clause string) string {
	first, _, _ := strings.Cut(strings.ToLower(clause), " ")
	if !foreignFirst[first] && !strings.ContainsAny(clause[:min(len(clause), 1)], "123456789") {
		return clause // as most; trying every form would double the time of compiling
	}
	for _, t := range translations {
		m := t.re.FindStringSubmatch(clause)
		if m == nil {
			continue
		}
		out := t.english
		for i, name := range t.re.SubexpNames() {
			if name == "" || m[i] == "" {
				continue
			}
			word := m[i]
			if w, ok := foreignWords[strings.ToLower(word)]; ok {
				word = w
			}
			out = strings.ReplaceAll(out, "<"+name+">", word)
		}
		return out
	}
	return clause
}

// foreignWords are numbers and units in English, singular and plural alike.
var foreignWords = map[string]string{
	"zwei": "2", "drei": "3", "vier": "4", "fünf": "5", "sechs": "6", "zehn": "10", "deux": "2", "trois": "3", "quatre": "4", "cinq": "5", "six": "6", "dix": "10",
	"dos": "2", "tres": "3", "cuatro": "4", "cinco": "5", "seis": "6", "diez": "10", "einem": "1", "einen": "1", "une": "1", "una": "1",
	"wort": "words", "wörter": "words", "worte": "words", "wörtern": "words", "worten": "words", "satz": "sentences", "sätze": "sentences", "sätzen": "sentences",
	"absatz": "paragraphs", "absätze": "paragraphs", "absätzen": "paragraphs", "zeichen": "characters",
	"mot": "words", "mots": "words", "phrase": "sentences", "phrases": "sentences", "paragraphe": "paragraphs", "paragraphes": "paragraphs", "caractères": "characters",
	"palabra": "words", "palabras": "words", "frase": "sentences", "frases": "sentences", "oración": "sentences", "oraciones": "sentences", "párrafo": "paragraphs", "párrafos": "paragraphs", "caracteres": "characters",
}

// foreignFirst are the words with which translations begin.
var foreignFirst = func() map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(`antworte antworten schreib schreibe schreiben formulier formuliere formulieren fasse beschränke in mit auf höchstens maximal nicht zwei drei vier fünf sechs zehn deux trois quatre cinq dix dos tres cuatro cinco seis diez maximum máximo
		réponds répondez répondre écris écrivez écrire en au maximum responde responda responder escribe escriba escribir como máximo no
		erwähne erwähnen nenne nennen sage sagen sag verwende verwenden mentionne mentionnez mentionner dis dites dire ne menciona mencione di diga nunca
		beginne beginnen fange fangen starte starten ende enden schließe schließen beende beenden commence commencez commencer termine terminez terminer finis finissez
		empieza empiece comienza comience termina acaba acabe nutze nutzen benutze benutzen utilise utilisez utiliser emploie employez usa use usar utiliza utilice utilizar
		keine n'utilise n'utilisez n'utiliser pas nada sin`) {
		out[w] = true
	}
	return out
}()

type translation struct {
	re      *regexp.Regexp
	english string
}

var translations = func() []translation {
	const (
		quoted = `(?P<text>["„“«].+["“”»])`
		count  = `(?P<n>\d{1,6}|zwei|drei|vier|fünf|sechs|zehn|deux|trois|quatre|cinq|six|dix|dos|tres|cuatro|cinco|seis|diez|einem|einen|une|una)`
		units  = `(?P<unit>wort|wörter|worte|wörtern|worten|satz|sätze|sätzen|absatz|absätze|absätzen|zeichen|mots?|phrases?|paragraphes?|caractères|palabras?|frases?|oración|oraciones|párrafos?|caracteres)`

		deAdverbs, frAdverbs, esAdverbs = `(?: (?:immer|stets|bitte|nur))*`, `(?: (?:toujours|seulement))*`, `(?: (?:siempre|solo|sólo))*`
		deWrite                         = `(?:antworten?|antworte sie|schreiben?|formulieren?)`
		frWrite, esWrite                = `(?:réponds|répondez|répondre|écris|écrivez|écrire)`, `(?:responde|responda|responder|escribe|escriba|escribir)`
		deUse, frUse, esUse             = `(?:verwenden?|nutzen?|benutzen?)`, `(?:utilise[zr]?|emploie|employez)`, `(?:usa|use|usar|utiliza|utilice|utilizar)`
	)
	var out []translation
	for _, t := range [][2]string{
		{`(?:` + deWrite + deAdverbs + ` |fasse dich |beschränke dich )?(?:(?:in|mit|auf) )?(?:höchstens|maximal|nicht mehr als) ` + count + ` ` + units + `(?: schreiben| verwenden)?`, `answer in at most <n> <unit>`},
		{`(?:` + frWrite + frAdverbs + ` )?(?:en )?(?:au plus|au maximum|maximum) ` + count + ` ` + units, `answer in at most <n> <unit>`},
		{frWrite + frAdverbs + ` en ` + count + ` ` + units + ` (?:au plus|au maximum|maximum|max)`, `answer in at most <n> <unit>`},
		{`(?:` + esWrite + esAdverbs + ` )?(?:en )?(?:como máximo|máximo|no más de) ` + count + ` ` + units, `answer in at most <n> <unit>`},
		{esWrite + esAdverbs + ` en ` + count + ` ` + units + ` (?:como máximo|máximo)`, `answer in at most <n> <unit>`},
		{count + ` ` + units + ` (?:maximal|höchstens|maximum|max\.?|au maximum|au plus|máximo|como máximo)`, `answer in at most <n> <unit>`},

		{`(?:erwähnen?|nennen?|sagen?|sag|schreiben?)` + deAdverbs + ` (?:(?:das wort|die worte|den|die|das) )?` + quoted, `mention <text>`},
		{`(?:erwähnen?|nennen?|sagen?|sag|schreiben?|verwenden?) (?:nie|niemals|nicht|bitte nicht) (?:(?:das wort|den|die|das) )?` + quoted, `never mention <text>`},
		{`(?:mentionne[rz]?|dis|dites|dire|écris|écrivez)` + frAdverbs + ` (?:(?:le mot|la|le|les) )?` + quoted, `mention <text>`},
		{`ne (?:mentionne[rz]?|dis|dites|écris|écrivez) (?:jamais|pas) (?:(?:le mot|la|le|les) )?` + quoted, `never mention <text>`},
		{`(?:menciona|mencione|di|diga|escribe|escriba)` + esAdverbs + ` (?:(?:la palabra|el|la|los|las) )?` + quoted, `mention <text>`},
		{`(?:no|nunca) (?:menciones|mencione|digas|diga|escribas|escriba)(?: nunca)? (?:(?:la palabra|el|la|los|las) )?` + quoted, `never mention <text>`},

		{`(?:beginnen?|fangen?|starten?)` + deAdverbs + `(?: (?:jede|die) antwort)? mit ` + quoted + `(?: an)?`, `begin with <text>`},
		{`(?:enden?|schließen?|beenden?)` + deAdverbs + `(?: (?:jede|die) antwort)? mit ` + quoted + `(?: ab)?`, `end with <text>`},
		{`commence[rz]?` + frAdverbs + ` par ` + quoted, `begin with <text>`},
		{`(?:termine[rz]?|finis|finissez)` + frAdverbs + ` par ` + quoted, `end with <text>`},
		{`(?:empieza|empiece|comienza|comience)` + esAdverbs + ` con ` + quoted, `begin with <text>`},
		{`(?:termina|termine|acaba|acabe)` + esAdverbs + ` con ` + quoted, `end with <text>`},

		{`(?:` + deUse + `|` + deWrite + ` (?:in|mit))` + deAdverbs + ` (?:aufzählungen|aufzählungspunkten?|stichpunkten?)`, `use bullet points`},
		{`(?:` + deUse + `|` + deWrite + ` (?:in|mit))` + deAdverbs + ` (?:eine[r]? )?nummerierten? listen?`, `use a numbered list`},
		{`(?:` + deUse + `|` + deWrite + ` (?:in|mit|als))` + deAdverbs + ` (?:eine[r]? )?tabellen?`, `use a table`},
		{frUse + frAdverbs + ` des (?:puces|listes à puces)`, `use bullet points`},
		{frUse + frAdverbs + ` (?:une liste numérotée|des listes numérotées)`, `use a numbered list`},
		{frUse + frAdverbs + ` (?:un tableau|des tableaux)`, `use a table`},
		{esUse + esAdverbs + ` (?:viñetas|listas con viñetas)`, `use bullet points`},
		{esUse + esAdverbs + ` (?:una lista numerada|listas numeradas)`, `use a numbered list`},
		{esUse + esAdverbs + ` (?:una tabla|tablas)`, `use a table`},

		{`(?:` + deUse + ` )?keine emojis?(?: verwenden| benutzen| nutzen)?`, `do not use emojis`},
		{`(?:n'utilise[rz]? (?:pas|jamais) d'|pas d')[ée]mojis?`, `do not use emojis`},
		{`(?:no (?:uses|use|utilices|utilice)|nada de|sin) emojis`, `do not use emojis`},
	} {
		out = append(out, translation{regexp.MustCompile(`(?i)^` + t[0] + `$`), t[1]})
	}
	return out
}()
