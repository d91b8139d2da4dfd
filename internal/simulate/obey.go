package simulate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// draft is an answer in parts, so that limits can cut the substance first and
// keep what was demanded.
type draft struct {
	before []string // greeting, apology, thanks
	body   []string // sentences of the answer proper
	extra  []string // sentences that instructions added
	after  []string // closing words

	begin, end, sign string
	words, sentences int
	form             Kind // Bullets, Numbered or Table
	letters          Kind // Upper or Lower
	language         string
	json             bool
}

// obey edits an answer until it does what the instructions demand. Where two
// of them cannot both be met, the later one wins.
func obey(body string, instructions []Instruction) string {
	d := &draft{body: splitSentences(strings.TrimSpace(body))}
	for _, in := range instructions {
		d.apply(in)
	}
	for _, in := range instructions { // what was added must not bring it back
		if in.Kind == Avoid && !metLater(in, instructions) {
			d.remove(in.Text)
		}
	}
	return d.text()
}

// metLater tells whether a later instruction demands what in forbids.
func metLater(in Instruction, all []Instruction) bool {
	seen := false
	for _, other := range all {
		if other == in {
			seen = true
		} else if seen && other.Kind != Avoid && conflicts(in, other) {
			return true
		}
	}
	return false
}

func (d *draft) apply(in Instruction) {
	switch in.Kind {
	case Mention:
		d.mention(in.Text)
	case Link:
		d.extra = append(d.extra, linkSentence(in.Text))
	case Offer:
		d.extra = append(d.extra, "We can offer you "+strings.TrimPrefix(in.Text, "you ")+".")
	case Ask:
		d.extra = append(d.extra, "Could you tell us "+in.Text+"?")
	case Replace:
		d.replace(in)
	case Begin:
		d.begin = in.Text
	case End:
		d.end = in.Text
	case Sign:
		d.sign = in.Text
	case Words:
		d.words = in.N
	case Sentences:
		d.sentences = in.N
	case Bullets, Numbered, Table:
		d.form = in.Kind
	case Upper, Lower:
		d.letters = in.Kind
	case JSON:
		d.json = true
	case Language:
		d.language = languageName(in.Text)
	case Greet:
		d.before = append([]string{"Hello!"}, d.before...)
	case Apologise:
		d.before = append(d.before, "We are sorry for the trouble.")
	case Thank:
		d.before = append(d.before, "Thank you for asking.")
	case Polite:
		d.after = append(d.after, "Please let us know if we can help with anything else, with pleasure.")
	case Phone:
		d.extra = append(d.extra, "You can call us on "+shopPhone+".")
	case Metric:
		d.each(metric)
		d.extra = append(d.extra, "All our sizes are given in cm.")
	case Currency:
		d.each(func(s string) string { return amount.ReplaceAllString(s, currencySign(in.Text)+"$1") })
	}
}

// shopPhone is a number reserved for fiction (555-01xx).
const shopPhone = "+1 202 555 0142"

func (d *draft) mention(text string) {
	text = strings.TrimSpace(text)
	low := strings.ToLower(text)
	for _, s := range append(append([]string(nil), d.body...), d.extra...) {
		if strings.Contains(strings.ToLower(s), low) {
			return
		}
	}
	switch first, _, _ := strings.Cut(low, " "); first {
	case "that":
		d.extra = append(d.extra, "Please note "+text+".")
	case "how", "where", "when", "what", "which", "who", "whether", "why":
		d.extra = append(d.extra, "You will also want to know "+text+".")
	default:
		d.extra = append(d.extra, "Please also note: "+text+".")
	}
}

func linkSentence(page string) string {
	if strings.Contains(page, "://") {
		return "You find more at " + page + " ."
	}
	slug := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(article.ReplaceAllString(page, "")), "-"), "-")
	slug = strings.TrimSuffix(slug, "-page")
	return fmt.Sprintf("You find more on %s: https://shop.example/%s", page, slug)
}

var (
	notSlug = regexp.MustCompile(`[^a-z0-9]+`)
	article = regexp.MustCompile(`(?i)^(?:the|a|an|our|your|any|that|words?|phrase)\s+`)
	amount  = regexp.MustCompile(`\$(\d)`)
	inches  = regexp.MustCompile(`(\d+(?:\.\d+)?) inch(?:es)?`)
)

// metric writes inches as centimetres.
func metric(s string) string {
	return inches.ReplaceAllStringFunc(s, func(m string) string {
		n, err := strconv.ParseFloat(inches.FindStringSubmatch(m)[1], 64)
		if err != nil {
			return m
		}
		return fmt.Sprintf("%.0f cm", n*2.54)
	})
}

func currencySign(name string) string {
	switch strings.ToLower(name) {
	case "euro", "euros", "eur":
		return "€"
	case "pounds", "gbp":
		return "£"
	}
	return "$"
}

func (d *draft) each(f func(string) string) {
	for _, list := range [][]string{d.before, d.body, d.extra, d.after} {
		for i := range list {
			list[i] = f(list[i])
		}
	}
}

func (d *draft) replace(in Instruction) {
	say, old := in.Text, in.Old
	if say == "\x00swap" { // "replace A with B" named the old one first
		say, old = "", in.Old
	}
	if say == "" || old == "" {
		return
	}
	found := false
	re := regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(old) + `\b`)
	d.each(func(s string) string {
		found = found || re.MatchString(s)
		return re.ReplaceAllLiteralString(s, say)
	})
	if !found {
		d.mention(say)
	}
}

// remove drops the sentences that say text; if nothing would be left of the
// answer, only the words themselves.
func (d *draft) remove(text string) {
	if strings.HasPrefix(strings.ToLower(text), "exclamation") {
		d.each(func(s string) string { return strings.ReplaceAll(s, "!", ".") })
		return
	}
	phrase := article.ReplaceAllString(text, "")
	re := regexp.MustCompile(`(?i)` + regexp.QuoteMeta(phrase))
	keep := func(list []string) []string {
		var out []string
		for _, s := range list {
			if !re.MatchString(s) {
				out = append(out, s)
			}
		}
		return out
	}
	if rest := keep(d.body); len(rest) > 0 {
		d.body = rest
	} else {
		for i, s := range d.body {
			d.body[i] = strings.Join(strings.Fields(re.ReplaceAllString(s, "")), " ")
		}
	}
	d.before, d.extra, d.after = keep(d.before), keep(d.extra), keep(d.after)
}

// text puts the parts together.
func (d *draft) text() string {
	if d.language != "" {
		frame := languageFrames[d.language]
		d.before = append([]string{frame[0]}, d.before...)
		d.after = append(d.after, frame[1])
	}
	d.limit()
	parts := append(append(append(append([]string(nil), d.before...), d.body...), d.extra...), d.after...)
	text := d.shape(parts)
	if d.words > 0 { // the demanded words alone may be too many
		if room := d.words - wordCount(d.begin, d.end, d.sign); room > 0 {
			if all := chunks(text); len(all) > room {
				text = strings.Join(all[:room], "")
			}
		}
	}
	if d.begin != "" && !strings.HasPrefix(strings.ToLower(text), strings.ToLower(d.begin)) {
		text = joinText(d.begin, text)
	}
	if d.sign != "" {
		text += "\n" + d.sign
	}
	if d.end != "" {
		text = joinText(text, d.end)
	}
	switch d.letters {
	case Upper:
		text = strings.ToUpper(text)
	case Lower:
		text = strings.ToLower(text)
	}
	if d.json {
		text = marshal(object{"answer": text})
	}
	return text
}

func joinText(a, b string) string {
	if strings.Contains(b, "\n") || strings.Contains(a, "\n") {
		return a + "\n" + b
	}
	return a + " " + b
}

// limit takes sentences off the substance, the last first, and off the
// courtesies, until the limits hold.
func (d *draft) limit() {
	fits := func() bool {
		n := len(d.before) + len(d.body) + len(d.extra) + len(d.after)
		if d.begin != "" {
			n++
		}
		if d.end != "" {
			n++
		}
		all := append(append(append(append([]string{d.begin, d.end, d.sign}, d.before...), d.body...), d.extra...), d.after...)
		return (d.sentences == 0 || n <= d.sentences) && (d.words == 0 || wordCount(all...) <= d.words)
	}
	for !fits() && len(d.body) > 1 {
		d.body = d.body[:len(d.body)-1]
	}
	for _, list := range []*[]string{&d.after, &d.before} {
		for !fits() && len(*list) > 0 {
			*list = (*list)[:len(*list)-1]
		}
	}
	for d.sentences > 0 && !fits() && len(d.extra) > 1 { // one sentence may hold several points
		last := len(d.extra) - 1
		d.extra[last-1] = strings.TrimRight(d.extra[last-1], ".") + "; " + d.extra[last]
		d.extra = d.extra[:last]
	}
	if d.sentences > 0 && !fits() && len(d.extra) == 1 && len(d.body) == 1 {
		d.body[0] = strings.TrimRight(d.body[0], ".!?") + "; " + d.extra[0]
		d.extra = nil
	}
}

func (d *draft) shape(parts []string) string {
	switch d.form {
	case Bullets:
		return "- " + strings.Join(parts, "\n- ")
	case Numbered:
		for i := range parts {
			parts[i] = strconv.Itoa(i+1) + ". " + parts[i]
		}
		return strings.Join(parts, "\n")
	case Table:
		return "| Answer |\n|---|\n| " + strings.Join(parts, " |\n| ") + " |"
	}
	return strings.Join(parts, " ")
}

func wordCount(texts ...string) int {
	n := 0
	for _, t := range texts {
		n += len(strings.Fields(t))
	}
	return n
}

// languageFrames are the few words of a language that the simulation has: an
// opening and a closing sentence around the English answer.
var languageFrames = map[string][2]string{
	"german":  {"Vielen Dank für Ihre Frage.", "Wir helfen Ihnen gerne weiter."},
	"french":  {"Merci beaucoup pour votre question.", "Nous sommes à votre service."},
	"spanish": {"Muchas gracias por su pregunta.", "Estamos aquí para ayudarle."},
}

func languageName(s string) string {
	if s = strings.ToLower(s); s == "deutsch" {
		return "german"
	}
	return s
}

// conflictsAny tells whether in contradicts one of the others.
func conflictsAny(in Instruction, others []Instruction) bool {
	for _, o := range others {
		if conflicts(in, o) {
			return true
		}
	}
	return false
}

// conflicts tells whether two instructions cannot both be obeyed.
func conflicts(a, b Instruction) bool {
	if b.Kind == Avoid {
		a, b = b, a
	}
	if a.Kind == Avoid {
		phrase := strings.ToLower(article.ReplaceAllString(a.Text, ""))
		text := strings.ToLower(b.Text)
		switch b.Kind {
		case Avoid:
			return false
		case Phone:
			text = "phone number"
		case Greet:
			text = "hello greeting"
		case Apologise:
			text = "sorry apology"
		}
		return phrase != "" && (strings.Contains(text, phrase) || len(text) > 3 && strings.Contains(phrase, text))
	}
	if slot(a.Kind) == "" || slot(a.Kind) != slot(b.Kind) {
		return false
	}
	return a.Kind != b.Kind || a.N != b.N || !strings.EqualFold(a.Text, b.Text)
}

// slot groups the kinds of which an answer can follow only one.
func slot(k Kind) string {
	switch k {
	case Upper, Lower:
		return "case"
	case Bullets, Numbered, Table, JSON:
		return "form"
	case Begin, End, Sign, Language, Currency, Words, Sentences:
		return string(k)
	}
	return ""
}
