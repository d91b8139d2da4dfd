package check

import (
	"regexp"
	"slices"
	"strings"
)

// Change is a wish that something takes another's place. Old and New are what is
// said, in the person's words; Now is the action without what it replaces, "" where
// nobody said what to do with it ("the new desk, not the old one").
type Change struct{ Now, New, Old string }

// Replacement reads a wish that something takes another's place, in the words that
// people use for it: "mention A instead of B", "no longer B, now A", "replace B with
// A", "stop saying B, say A", "nicht B, sondern A". ok is false where there is none.
// Whether anybody asked for Old before is for the caller to know.
func Replacement(comment string) (c Change, ok bool) {
	comment = clip(comment, maxComment)
	if !changeWord.MatchString(straight.Replace(comment)) {
		return Change{}, false
	}
	tries := sentences(comment)
	if len(tries) == 2 {
		tries = append([]string{strings.Join(tries, " ")}, tries...) // "Not B. A!"
	}
	for _, s := range tries[:min(len(tries), 6)] {
		_, s, _ = splitCondition(s)
		if c, ok := replacement(s); ok {
			return c, true
		}
	}
	return Change{}, false
}

func replacement(s string) (Change, bool) {
	s = straight.Replace(s)
	s = strings.Trim(tidy(pleaseAnywhere.ReplaceAllString(s, "")), " .!,;")
	s = strings.Join(strings.Fields(closing.ReplaceAllString(s, "")), " ")
	if len(s) > maxConditional || !changeWord.MatchString(s) {
		return Change{}, false
	}
	for _, re := range changeForms {
		m := re.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		if c, ok := readChange(re, m); ok {
			return c, true
		}
	}
	return Change{}, false
}

// readChange makes a Change of a form's named groups: do is an action with the new
// in it, verb what to do with new.
func readChange(re *regexp.Regexp, m []string) (Change, bool) {
	at := func(name string) string {
		if i := re.SubexpIndex(name); i >= 0 {
			return strings.Trim(m[i], " ,.;:!")
		}
		return ""
	}
	c := Change{New: tailWords.ReplaceAllString(at("new"), ""), Old: tailWords.ReplaceAllString(oldVerb.ReplaceAllString(at("old"), ""), "")}
	act := tailWords.ReplaceAllString(at("do"), "")
	if auxiliary.MatchString(act) || auxiliary.MatchString(c.New) {
		return Change{}, false // "it should not …"
	}
	if act == "" && at("verb") != "" {
		act = at("verb") + " " + c.New
	}
	if act != "" {
		a, ok := frame(act, true)
		if !ok || gistOf(a).negative {
			return Change{}, false
		}
		if was := at("was"); was != "" && actOf(strings.ToLower(was)) != actOf(strings.ToLower(act)) {
			return Change{}, false // "do not mention prices, link the page": two wishes
		}
		if c.Now = a; c.New == "" {
			c.New = newIn.ReplaceAllString(strings.TrimRight(a, "."), "")
		}
	}
	if _, alone := frame(c.New, false); act == "" && alone {
		return Change{}, false // an instruction beside another
	}
	if forWhom.MatchString(c.Old) {
		return Change{}, false // "mention the fee, but not for members"
	}
	if c.New == "" || c.Old == "" || strings.EqualFold(c.New, c.Old) || len(tokens(c.Old)) > maxChangeWords || len(tokens(c.New)) > 3*maxChangeWords || pronoun.MatchString(at("old")) || pronoun.MatchString(c.Old) || pronoun.MatchString(c.New) {
		return Change{}, false
	}
	first, _, _ := strings.Cut(strings.ToLower(c.Old), " ")
	return c, !verbs[first] && len(gistOf(c.Old).all()) > 0 && len(gistOf(c.New).all()) > 0
}

// checks are those of what is to be done now, and that a phrase which is replaced is
// not said. Whoever wants a word used for another does not want it everywhere, so
// "say A instead of B" has no check for A.
func (c Change) checks() []Spec {
	first, _, _ := strings.Cut(strings.ToLower(c.Now), " ")
	said, use := true, !naming[first]
	var out []Spec
	for _, s := range Compile(c.Now) {
		said = said && (s.Kind == KindMention || s.Kind == KindSay)
		if use || s.Kind != KindMention && s.Kind != KindSay {
			out = append(out, s)
		}
	}
	if old, ok := mentioned([]string{"", c.Old}, true); ok && said && sayings[first] && old.Validate() == nil {
		out = append(out, old)
	}
	return out
}

// sayings put old and new into an answer; of these naming chooses the word for it.
var (
	naming  = set("say use write call name prefer")
	sayings = set("say use write call name prefer mention refer point include recommend suggest offer quote link give tell direct send")
)

// maxChangeWords is how many words what is replaced may have.
const maxChangeWords = 10

// Parts of the forms. A saying is a verb of which old and new are objects.
const (
	saying  = `(?:say|saying|mention|mentioning|use|using|write|writing|name|naming|call|calling|refer(?:ring)?(?: \pL+)? to|point(?:ing)?(?: \pL+)? (?:to|at)|link(?:ing)?(?: to)?|send(?:ing)?(?: \pL+)? to|recommend(?:ing)?|suggest(?:ing)?|offer(?:ing)?|give|giving|include|including|quot(?:e|ing)|tell(?:ing)?(?: \pL+)?(?: about)?|answer(?:ing)?(?: in| with)?|reply(?:ing)?(?: in)?|writ(?:e|ing) in|end(?:ing)? with|start(?:ing)? with|begin(?:ning)? with|sign(?:ing)?(?: as| with)?|direct(?:ing)?(?: \pL+)? to)`
	without = `(?:never|not|do not|don't|dont|stop|no longer|no more|avoid|quit|must not|should not|shouldn't)`
	anymore = `(?: any ?more| any longer)?`
	swapped = `(?:,? (?:instead of|rather than|in place of|in lieu of|in preference to|not|and not|but not|no longer|and no longer|and never))`
	isNow   = `(?:it(?:'s| is| has to be| must be| should be)|that(?:'s| is)|we (?:have|say|use|call it|now have|now use|now say))`
)

// changeForms, the narrow before the wide.
var changeForms = func() []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, expr := range []string{
		`(?:replace|swap|exchange|change|turn)(?: out)? (?P<old>.+?) (?:with|by|for|to|into|against) (?P<new>.+)`,
		`(?:substitute) (?P<new>.+?) for (?P<old>.+)`,
		`(?:(?:we|they|you|it)(?: have|'ve| has)? )?(?:switch|switched|move|moved|change|changed|migrate|migrated|go|went|gone) (?:over )?from (?P<old>.+?) to (?P<new>.+)`,
		`(?:instead of|rather than|in place of)(?: (?P<was>` + saying + `))? (?P<old>.+?)(?:, | )(?P<do>(?:always |now |please )?` + saying + ` .+)`,
		isNow + ` (?:not|no longer) (?P<old>.+?)` + anymore + `(?:[,;.]| but)+ (?:but |rather )?(?:` + isNow + ` )?(?:now )?(?P<new>.+?)(?: now)?`,
		isNow + ` (?:now )?(?P<new>.+?)(?: now)?,? (?:and |but )?(?:not|no longer|instead of|rather than) (?P<old>.+?)`,
		without + ` (?:ever )?(?P<verb>` + saying + `) (?P<old>.+?)` + anymore + ` ?(?:,|;|\.|:| -)* ?(?:but|rather) (?:to |in |with )?(?P<new>.+)`,
		without + `(?: ever)?(?: (?P<was>` + saying + `))? (?P<old>.+?)` + anymore + ` ?(?:[,;:]| -| –| and| but)+ (?:but |rather |instead |now |always )*(?P<do>` + saying + ` .+)`,
		without + `(?: ever)?(?: ` + saying + `)? (?P<old>.+?)` + anymore + ` ?(?:[,;.:]| -| –| but)+ (?:but |rather |instead |now |always )*(?P<new>.+)`,
		`(?P<old>.+?) (?:is|are|was|were|has been|have been|got) (?:now )?(?:replaced by|replaced with|superseded by|renamed to|renamed|now called|called|now|changed to|moved to) (?P<new>.+)`,
		`(?P<old>.+?) (?:is|are|does|do|has|have|was|were) (?:gone|out|no more|history|outdated|obsolete|closed|retired|not exist|no longer \pL+|been closed|been shut)` + anymore + `(?:[,;.:]| -| –| and| so)+ (?:so |now |please )*(?P<do>` + saying + ` .+)`,
		`(?P<new>.+?) (?:replaces|has replaced|takes the place of|has taken the place of|supersedes) (?P<old>.+)`,
		`(?P<do>.+?)` + swapped + `(?: to| in| with)? (?P<old>.+)`,
		`(?P<new>[^,]+?)` + swapped + ` (?P<old>.+)`,
		// German
		`(?:statt|anstatt|anstelle)(?: von)? (?P<old>.+?),? (?P<do>(?:den|die|das|der|einen?|immer|auch|bitte) .+? (?:erwähnen|nennen|schreiben|sagen|verwenden|benutzen|antworten|angeben|verlinken))`,
		`(?:nicht|nicht mehr|kein|keine|keinen|nie|nie mehr)(?: mehr)?(?: von| auf| zu)? (?P<old>.+?),? (?:sondern|jetzt|lieber|stattdessen)(?: jetzt| auf| zu| von)? (?P<new>.+)`,
		`(?:ersetze|ersetzt|ersetzen sie|tausche) (?P<old>.+?) (?:durch|gegen) (?P<new>.+)`,
		`(?:(?P<verb>erwähne|nenne|schreibe?|sage?|verwende|benutze|nutze|verlinke) )?(?P<new>.+?),? (?:statt|anstatt|anstelle|an stelle|und nicht|nicht)(?: von)? (?P<old>.+?)`,
		// French
		`(?:au lieu de|à la place de|plutôt que)(?: d[eu'] ?)?(?P<old>.+?), (?P<do>.+)`,
		`(?:ne |n')?(?:dites|dis|mentionnez|mentionne|utilisez|utilise)? ?(?:pas|plus|non pas) (?P<old>.+?),? (?:mais|désormais|plutôt) (?P<new>.+)`,
		`(?:remplacez|remplace|remplacer) (?P<old>.+?) par (?P<new>.+)`,
		`(?:(?P<verb>mentionnez|mentionne|dites|dis|utilisez|utilise|écrivez) )?(?P<new>.+?),? (?:au lieu d[eu']|à la place d[eu']|plutôt que|et non|et pas)(?: la| le| les| l')? ?(?P<old>.+)`,
		// Spanish
		`(?:en lugar del?|en vez del?) (?P<old>.+?), (?P<do>.+)`,
		`(?:no|ya no)(?: digas| menciones| mencione| use| uses)? (?P<old>.+?),? (?:sino|ahora|mejor) (?P<new>.+)`,
		`(?:reemplaza|reemplace|sustituye|sustituya|cambia|cambie) (?P<old>.+?) (?:por|con) (?P<new>.+)`,
		`(?:(?P<verb>menciona|mencione|di|diga|usa|use|escribe) )?(?P<new>.+?),? (?:en lugar del?|en vez del?|y no) (?P<old>.+)`,
	} {
		out = append(out, regexp.MustCompile(`(?i)^`+expr+`$`))
	}
	return out
}()

var (
	// changeWord is in every form, so that most comments are not tried: a word of
	// exchange, or a negation with something after it or before it.
	changeWord = regexp.MustCompile(`(?i)\b(?:instead|rather than|in (?:place|lieu|preference)|replace[sd]?|replacing|swap|exchange|change[d]?|turn|substitute|switch(?:ed)?|moved?|migrated?|from .+ to|gone|out|now called|renamed|supersede[sd]|closed|obsolete|outdated|history|exist|retired|no more|place of|statt|anstatt|anstelle|sondern|stattdessen|ersetz\w*|tausche|lieu|plutôt|mais|désormais|remplace[rz]?|lugar|vez|sino|ahora|reemplac\w*|reemplaza|sustituy\w*|cambi[ae]|y no|et (?:non|pas)|(?:not|never|no longer|don't|stop|nicht|kein\w*)\b.*(?:[,;.:] | but | - | – )\S)|(?:,| and| but) (?:not|no longer|never|nicht)\b|\S (?:not|no longer) `)
	determiner = regexp.MustCompile(`(?i)^(?:the|an?|our|your|any|der|die|das|des|dem|den|einen?|eine[rms]?|le|la|les|du|des|une?|el|los|las|del|una) `)
	closing    = regexp.MustCompile(`(?i),? (?:from now on|in (?:the )?future|these days|nowadays|as of (?:today|now)|starting today|ab jetzt|künftig|in zukunft|désormais|a partir de ahora)\b,?`)
	tailWords  = regexp.MustCompile(`(?i),? (?:any ?more|any longer|instead|now|please|again|at all|thanks|thank you|stattdessen|mehr|bitte)$`)
	oldVerb    = regexp.MustCompile(`(?i)^(?:` + saying + `|as|with|in|to|the old one,?) `)
	forWhom    = regexp.MustCompile(`(?i)^(?:for|during|if|when|unless) `)
	auxiliary  = regexp.MustCompile(`(?i)\b(?:do|does|did|should|must|can|could|will|would|may|might|is|are|was|were|has|have|had|shall|if|why)$`)
	newIn      = regexp.MustCompile(`(?i)^(?:always |only |now )*(?:` + saying + `|\pL+) `)
	pronoun    = regexp.MustCompile(`(?i)^(?:it|that|this|them|those|these|so|me|you|(?:it|that|this|they|we|i|you|he|she|there|which|\pL+ing) .*|.* (?:is|are|was|were|isn't|aren't) .*|sure|just|only|even|at all|yet|both|one|always|good|enough|helpful|correct|right|true|the (?:other|same|question|point)|what .*|which .*|how .*|why .*|when .*|because .*|if .*|as long as .*|while .*|until .*|unless .*|once .*|before .*|after .*)$`)
)

// Apply puts what is new in the place of what is old in an action that names it as
// the person did. ok is false where it does not.
func (c Change) Apply(action string) (changed string, ok bool) {
	old := strings.Trim(determiner.ReplaceAllString(strings.TrimSpace(c.Old), ""), `"'“” `)
	if old == "" {
		return "", false
	}
	expr := `(?i)\b` + regexp.QuoteMeta(old) + `\b`
	if determiner.MatchString(c.New) {
		expr = `(?i)(?:\b(?:the|a|an|our|your|der|die|das|den|le|la|les|el|los|las) )?\b` + regexp.QuoteMeta(old) + `\b`
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return "", false
	}
	at := re.FindStringIndex(action)
	if at == nil {
		return "", false
	}
	now := c.New
	if first, _, _ := strings.Cut(now, " "); article.MatchString(now) {
		now = strings.ToLower(first) + now[len(first):]
	}
	if strings.ContainsAny(c.Old, `"'“`) && strings.ContainsAny(now, `"'“`) {
		now = strings.Trim(now, `"'“” `)
	}
	if at[0] > 0 && strings.ContainsRune(`"'“`, rune(action[at[0]-1])) {
		now = strings.Trim(determiner.ReplaceAllString(now, ""), `"'“” `)
	}
	if at[0] == 0 {
		now = capitalize(now)
	}
	return sentence(action[:at[0]] + now + action[at[1]:])
}

// Names says whether an action asks for what a phrase names: it has all of its
// words, numbers and quotations, and is no prohibition.
func Names(action, phrase string) bool {
	a, p := gist(action), gistOf(phrase)
	if a.negative || len(p.all()) == 0 {
		return false
	}
	have := a.all()
	for _, q := range a.quotes {
		for w := range gistOf(q).all() {
			have[w] = true
		}
	}
	for w := range p.all() {
		if !have[w] {
			return false
		}
	}
	for _, q := range p.quotes {
		if !slices.Contains(a.quotes, q) && !have[q] {
			for w := range gistOf(q).all() {
				if !have[w] {
					return false
				}
			}
		}
	}
	return true
}

// all are the words and numbers of m that are about something.
func (m meaning) all() map[string]bool {
	out := map[string]bool{}
	for w := range m.words {
		out[w] = true
	}
	for n := range m.numbers {
		out[n] = true
	}
	for _, q := range m.quotes {
		out[q] = true
	}
	return out
}
