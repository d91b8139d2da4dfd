package check

import "regexp"

var (
	// outcry is what people exclaim about what an answer left out.
	outcry    = regexp.MustCompile(`(?i)^(?:(?:i|we) (?:can't|cannot) believe|(?:i|we) (?:really )?(?:hate|dislike|don't like)(?: it)?|(?:it's |it is |what )?(?:an? )?(?:shame|pity|sad|annoying|weird|strange|odd|disappointing|frustrating|ridiculous|too bad))(?: that| how| when)? (.+)$`)
	rather    = regexp.MustCompile(`(?i)^(?:i|we)(?:'d| would) (?:rather|prefer it if) (?:you|it|the (?:bot|assistant|answers?)) (?:didn't|did not|don't|not|wouldn't) (\pL+)(?: (.+))$`)
	wouldNot  = regexp.MustCompile(`(?i)^(?:i|we) (?:wouldn't|would not) ((?:mention|include|list|link|quote|cite) .+)$`)
	noThought = regexp.MustCompile(`(?i)^(?:i|we) (?:don't|do not) (?:think|believe|feel)(?: that)? ` + subject + ` (?:should|needs? to|must|has to|have to|ought to) (.+)$`)
	noNeed    = regexp.MustCompile(`(?i)^(?:(?:(?:it|there)(?:'s| is| was) )?(?:really |absolutely )?no need (?:to|for you to)|you (?:really )?(?:don't|do not) (?:need|have) to) (\pL+)(?: (.+))?$`)
	toPerson  = regexp.MustCompile(`(?i)^(?:me|us)\b`)
	noHearing = regexp.MustCompile(`(?i)^(?:i|we) (?:don't|do not) (?:want|need|wish|like) to (?:hear|read|be told)(?: anything)? about (.+)$`)
)

// indirect reads wishes that are worded as an opinion: "I can't believe it didn't
// mention X", "I don't think you should mention X", "no need to repeat my question".
func indirect(s string) (string, bool) {
	if m := outcry.FindStringSubmatch(s); m != nil {
		if a, ok := omitted(m[1], false); ok {
			return a, true
		}
	}
	if m := rather.FindStringSubmatch(s); m != nil {
		return verbPhrase(base(m[1])+" "+m[2], true)
	}
	for _, re := range []*regexp.Regexp{wouldNot, noThought} {
		if m := re.FindStringSubmatch(s); m != nil {
			return verbPhrase(nowhere.ReplaceAllString(m[1], ""), true)
		}
	}
	if m := noNeed.FindStringSubmatch(s); m != nil && (reporting[m[1]] || m[1] == "be") && !toPerson.MatchString(m[2]) {
		return verbPhrase(m[1]+" "+m[2], true)
	}
	if m := noHearing.FindStringSubmatch(s); m != nil && !emptyThing.MatchString(m[1]) {
		return "do not mention " + m[1], true
	}
	return "", false
}
