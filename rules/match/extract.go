package match

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of extraction.
const (
	maxTurnBytes    = 64 << 10 // of a turn that are looked at: its beginning and its end
	maxRequestWords = 60       // a longer rest is searched for the request in it
	maxBareWords    = 25       // of a last line that does not read like a request, below passages
)

// Extract returns, for the person turns of one conversation (oldest first), what
// is matched for each: at most 1,500 bytes of the person's own request, or ""
// where no short request remains. Out go what the step's template repeats (known
// from stats; nil for none), pasted passages, documents, code, tool output and
// JSON. A short follow-up takes the request before it along, unless it stands on
// its own. It is pure, and a turn's query depends on no later turn.
func Extract(step string, turns []string, stats *Stats) []string {
	out := make([]string, len(turns))
	template := stats.template(step)
	base := ""
	for i, turn := range turns {
		own := request(turn, template)
		switch {
		case own == "":
		case base != "" && isFollowUp(own):
			out[i] = cut(base, maxTextBytes-len(own)-1) + "\n" + own
		default:
			base, out[i] = own, own
		}
	}
	return out
}

// request returns a turn's own request, at most maxTextBytes.
func request(turn string, template *stepTemplate) string {
	turn = strings.ToValidUTF8(bothEnds(turn), " ")
	if q, ok := fromJSON(turn); ok {
		turn = q
	}
	if q, ok := fromTag(turn); ok {
		turn = q
	}
	text := stripMaterial(turn)
	return cut(strings.TrimSpace(template.request(text)), maxTextBytes)
}

// request finds the request in text. What remains without the template is one
// where it is short. Elsewhere passages stand between, and the labels around
// them, which the template may hold, tell more than what remains.
func (t *stepTemplate) request(text string) string {
	whole := lines(text)
	if t == nil {
		return choose(whole)
	}
	bare := t.subtract(text)
	if len(spans(bare)) == 0 {
		return choose(whole) // a question that many ask word for word is no template
	}
	rest := lines(bare)
	labelled := slices.ContainsFunc(whole, func(l line) bool { return l.kind != plain })
	if long := words(rest) > maxRequestWords; long || labelled {
		q := strings.TrimSpace(t.subtract(choose(whole)))
		if q != "" || long && labelled {
			return q // nothing, rather than a piece of the passages
		}
	}
	return choose(rest)
}

func bothEnds(s string) string {
	if len(s) <= maxTurnBytes {
		return s
	}
	return s[:maxTurnBytes/2] + "\n" + s[len(s)-maxTurnBytes/2:]
}

// fromJSON finds the request in a turn that is one JSON object. Without a member
// of such a name there is none.
func fromJSON(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != '{' || !json.Valid([]byte(s)) {
		return "", false
	}
	var m map[string]any
	if json.Unmarshal([]byte(s), &m) != nil {
		return "", false
	}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if text, ok := m[name].(string); ok && askLabels[strings.ToLower(name)] {
			return text, true
		}
	}
	return "", true
}

// fromTag finds the request in a tag of such a name.
func fromTag(s string) (string, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '<' {
			continue
		}
		name := tagName(s[i+1:])
		if !askLabels[strings.ReplaceAll(strings.ToLower(name), "_", " ")] {
			continue
		}
		from := strings.IndexByte(s[i:], '>') + i + 1
		if end := strings.Index(s[from:], "</"+name+">"); end > 0 {
			return s[from : from+end], true
		}
	}
	return "", false
}

// stripMaterial removes what nobody types as a request: fenced code, contents of
// tags, JSON, quoted mail, data addresses.
func stripMaterial(s string) string {
	s = cutTags(cutBetween(s, "```", "```"))
	s = cutJSON(s)
	var b strings.Builder
	for line := range strings.Lines(s) {
		t := strings.TrimSpace(line)
		if strings.HasPrefix(t, ">") || strings.HasPrefix(t, "|") || isMachine(t) {
			b.WriteByte('\n')
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

const leastJSON = 30 // bytes; shorter braces stand in people's sentences

// cutJSON removes balanced {…} and […] that hold a quotation mark or a colon.
func cutJSON(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '{' || s[i] == '[' {
			if n := balanced(s[i:]); n >= leastJSON && strings.ContainsAny(s[i:i+n], "\":") {
				i += n - 1
				b.WriteByte('\n')
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// balanced returns the length of the bracketed text at the start of s, or 0. It
// looks at a bounded piece, so that many open brackets cost no more.
func balanced(s string) int {
	depth := 0
	for i := range min(len(s), 4096) {
		switch s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// isMachine reports lines that programs write: stack frames, log lines, paths,
// long words without spaces, more punctuation than people use.
func isMachine(line string) bool {
	if len(line) < 12 {
		return false
	}
	if strings.HasPrefix(line, "at ") && strings.Contains(line, "(") || strings.HasPrefix(line, "Traceback ") ||
		strings.HasPrefix(line, "File \"") || strings.HasPrefix(line, "data:") {
		return true
	}
	letters, spaces, other := 0, 0, 0
	for _, r := range line {
		switch {
		case unicode.IsLetter(r) || unicode.IsMark(r):
			letters++
		case r == ' ':
			spaces++
		case r != '\'' && r != ',' && r != '.' && r != '?':
			other++
		}
	}
	if other > letters/2 && other > 8 {
		return true
	}
	return spaces == 0 && len(line) > 60 && letters == len(line)-other && other > 0
}

// line is one line of what remains, or a sentence of it.
type line struct {
	text  string
	words int
	kind  lineKind
}

type lineKind uint8

const (
	plain lineKind = iota
	asked          // under a label such as "Question:"
	given          // under a label such as "Context:", or numbered like a source
)

// lines splits at line ends and inside a line at labels, and says which lines a
// label claims. A label holds until the next one; a question's until an empty line.
func lines(text string) []line {
	var out []line
	kind := plain
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if l == "" {
			if kind == asked {
				kind = plain
			}
			continue
		}
		for _, part := range splitLabels(l) {
			body := part
			if k, rest, ok := label(part); ok {
				kind, body = k, rest
			}
			k := kind
			if k == plain && isSource(body) {
				k = given
			}
			if body = strings.TrimSpace(body); body != "" {
				out = append(out, line{body, wordCount(body), k})
			}
		}
	}
	return out
}

// splitLabels cuts a line before a label that follows a stop.
func splitLabels(l string) []string {
	var out []string
	start := 0
	for i := 1; i+2 < len(l); i++ {
		if l[i] != ' ' || !strings.ContainsRune(".!?)]:", rune(l[i-1])) {
			continue
		}
		if _, _, ok := label(l[i+1:]); ok {
			out = append(out, l[start:i])
			start = i + 1
		}
	}
	return append(out, l[start:])
}

const (
	maxLabelBytes  = 40
	maxLabelSpaces = 5 // "use only the following articles:"
)

// label reads "Question:", "### User query", "Document 3:" and the like.
func label(l string) (kind lineKind, rest string, ok bool) {
	head, _, ok := strings.Cut(l[:min(len(l), maxLabelBytes)], ":")
	if ok {
		rest = l[len(head)+1:]
	} else if head, ok = l, strings.HasPrefix(l, "#") && len(l) <= maxLabelBytes; !ok {
		if head, _, ok = strings.Cut(l[:min(len(l), maxLabelBytes)], "："); !ok {
			return plain, l, false
		}
		rest = l[len(head)+len("："):]
	}
	head = strings.ToLower(strings.TrimFunc(head, func(r rune) bool { return !unicode.IsLetter(r) }))
	switch {
	case askLabels[head]:
		return asked, rest, true
	case giveLabels[head]:
		return given, rest, true
	}
	if i := strings.LastIndexByte(head, ' '); i > 0 && strings.Count(head, " ") <= maxLabelSpaces {
		if askLabels[head[i+1:]] {
			return asked, rest, true
		}
		if giveLabels[head[i+1:]] {
			return given, rest, true
		}
	}
	return plain, l, false
}

// isSource reports a numbered passage: "[2] …", "(3) …".
func isSource(l string) bool {
	if len(l) < 4 || l[0] != '[' && l[0] != '(' {
		return false
	}
	i := 1
	for i < len(l) && l[i] >= '0' && l[i] <= '9' {
		i++
	}
	return i > 1 && i < len(l) && (l[i] == ']' || l[i] == ')')
}

// choose finds the request among the lines: what a label names as the question;
// all that no label claims, when that is short; else the one line or sentence
// that reads most like a request, the last of equals.
func choose(ls []line) string {
	if i := slices.IndexFunc(ls, func(l line) bool { return l.kind == asked }); i >= 0 {
		return bestOf(lastAsked(ls))
	}
	rest := slices.DeleteFunc(slices.Clone(ls), func(l line) bool { return l.kind == given })
	if len(rest) == 0 || words(ls) > maxRequestWords && words(rest) == 0 {
		return lastQuestion(ls)
	}
	return bestOf(rest)
}

// lastAsked returns the last run of labelled lines.
func lastAsked(ls []line) []line {
	end := len(ls)
	for ls[end-1].kind != asked {
		end--
	}
	start := end
	for start > 0 && ls[start-1].kind == asked {
		start--
	}
	return ls[start:end]
}

// lastQuestion is for passages with the question in the last line below them.
func lastQuestion(ls []line) string {
	if len(ls) == 0 {
		return ""
	}
	l := ls[len(ls)-1]
	if len(ls) == 1 || isSource(l.text) {
		return ""
	}
	if score := requestScore(l.text); l.words <= maxRequestWords && score > 0 || l.words <= maxBareWords && score == 0 {
		return l.text
	}
	return ""
}

func words(ls []line) int {
	n := 0
	for _, l := range ls {
		n += l.words
	}
	return n
}

// bestOf joins lines that are short together, and else chooses.
func bestOf(ls []line) string {
	if words(ls) <= maxRequestWords {
		return join(ls)
	}
	if len(ls) == 1 {
		return telling(split(ls[0]))
	}
	best, at := 0, -1
	for i, l := range ls {
		score := requestScore(l.text)*2 + edge(i, len(ls))
		if l.words <= maxRequestWords && score > 0 && score >= best {
			best, at = score, i
		}
	}
	if at < 0 {
		var parts []line
		for _, l := range ls {
			parts = append(parts, split(l)...)
		}
		return telling(parts)
	}
	if ls[at].words > maxBareWords {
		return telling(split(ls[at]))
	}
	return ls[at].text
}

func join(ls []line) string {
	texts := make([]string, len(ls))
	for i, l := range ls {
		texts[i] = l.text
	}
	return strings.Join(texts, "\n")
}

func split(l line) []line {
	var out []line
	for _, s := range sentences(l.text) {
		out = append(out, line{text: s, words: wordCount(s)})
	}
	return out
}

// telling joins the sentences that read most like a request, or, where none
// does, the last one if it is short.
func telling(parts []line) string {
	best := 0
	for _, l := range parts {
		if l.words <= maxRequestWords {
			best = max(best, requestScore(l.text))
		}
	}
	if best == 0 {
		if n := len(parts); n > 0 && parts[n-1].words <= maxBareWords && requestScore(parts[n-1].text) == 0 {
			return parts[n-1].text
		}
		return ""
	}
	var out []line
	for i := len(parts) - 1; i >= 0; i-- {
		if l := parts[i]; requestScore(l.text) >= best-1 && requestScore(l.text) > 0 && words(out)+l.words <= maxRequestWords {
			out = append(out, l)
		}
	}
	slices.Reverse(out)
	return join(out)
}

// edge prefers the last line, then the first: where a request stands beside
// pasted material.
func edge(i, n int) int {
	switch i {
	case n - 1:
		return 2
	case 0:
		return 1
	}
	return 0
}

// requestScore says how much a line reads like a person's request, and not like
// a passage or an agent's instruction.
func requestScore(s string) int {
	s = dropQuoted(s)
	score := 0
	if strings.ContainsAny(s, "?？¿") {
		score += 2
	}
	fields := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' })
	for i, w := range fields {
		if i == maxRequestWords {
			break
		}
		switch {
		case i == 0 && openers[w]:
			score++
		case personal[w]:
			score++
		case agentWords[w]:
			score -= 2
		}
	}
	return min(score, 4)
}

// wordCount counts words; two characters of a script without spaces are one.
func wordCount(s string) int {
	n, dense, in := 0, 0, false
	for _, r := range s {
		switch {
		case r >= utf8.RuneSelf && isDense(r):
			dense++
			in = false
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '\'' || r == '’':
			if !in {
				n++
			}
			in = true
		default:
			in = false
		}
	}
	return n + (dense+1)/2
}
