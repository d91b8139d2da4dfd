package check

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Classes that stand for a place in the answer, and the mark of words that name
// what something comes before.
const (
	classBegin = "begin"
	classEnd   = "end"
	afterMark  = "<"
)

// gist reads what an action is about. Of one that replaces something it is what is
// to be done now, and what it replaces stands in old.
func gist(action string) meaning {
	if c, ok := Replacement(action); ok && c.Now != "" {
		m, old := gistOf(c.Now), gistOf(c.Old)
		m.old = &old
		return m
	}
	return gistOf(action)
}

func gistOf(action string) meaning {
	action = clip(action, 4<<10)
	m := meaning{words: map[string]bool{}, numbers: map[string]bool{}}
	text := m.takeQuotes(action)
	view := look(text)
	for i := range phrasings {
		if p := &phrasings[i]; p.maybe(view) {
			text = p.re.ReplaceAllString(text, p.class)
			view = look(text)
		}
	}
	for range negatives.FindAllString(text, -1) {
		m.negative = !m.negative
	}
	text = negatives.ReplaceAllString(text, " ")
	m.act = actOf(text)
	mark := ""
	for _, w := range tokens(text) {
		if w == "before" {
			m.words[classBegin], mark = true, afterMark
			continue
		}
		m.add(w, mark)
	}
	return m
}

// takeQuotes moves the quotations of action to m and returns the rest in lower
// case. A quotation behind "instead of" or "not" is what is not to be said.
func (m *meaning) takeQuotes(action string) string {
	found := quotes(action)
	i := -1
	text := quotation.ReplaceAllStringFunc(action, func(string) string { i++; return fmt.Sprintf(" qq%dqq ", i) })
	text = strings.Join(strings.Fields(strings.ToLower(strings.ReplaceAll(text, "’", "'"))), " ")
	for i, q := range found {
		name := fmt.Sprintf("qq%dqq", i)
		b := bare(q)
		for _, l := range insteadOfQuote.FindAllStringSubmatchIndex(text, 8) {
			if text[l[2]:l[3]] == name {
				b = "-" + b
				text = text[:l[0]] + " " + text[l[1]:]
				break
			}
		}
		m.asks = len(found) == 1 && strings.HasSuffix(strings.TrimSpace(q), "?")
		m.quotes = append(m.quotes, b)
	}
	slices.Sort(m.quotes)
	return quoteName.ReplaceAllString(text, " ")
}

var (
	insteadOfQuote = regexp.MustCompile(`(?:instead of|rather than|and not|not|never|replace|than)(?: the)?(?: word| term| phrase)?(?: saying| using| writing)? (qq\d+qq)`)
	quoteName      = regexp.MustCompile(`qq\d+qq`)
)

// add takes one word of the action.
func (m *meaning) add(w, mark string) {
	if w[0] >= '0' && w[0] <= '9' {
		m.numbers[w] = true
		return
	}
	if n, ok := numberWords[w]; ok {
		if n > 1 {
			m.numbers[strconv.Itoa(n)] = true
		}
		return
	}
	if w != "link" && acts[w] != "" || functionWords[w] || fillers[w] || generic[w] {
		return
	}
	if s := synonyms[w]; s != "" {
		w = s
	}
	m.words[mark+stem(w)] = true
}

// actOf is what the first verb does with the rest: "" for saying it in one way
// or another, else a class ("ask", "offer") or the verb itself.
func actOf(text string) string {
	for _, w := range tokens(text) {
		if actFillers[w] {
			continue
		}
		b := base(w)
		switch {
		case w == classBegin || w == classEnd:
			continue
		case acts[w] != "":
			return acts[w]
		case classes[w] || b == "" || generic[w] || generic[b] || fillers[b]:
			return ""
		case acts[b] != "":
			return acts[b]
		}
		return b
	}
	return ""
}

// weight is how much a content word says: classes of place and words that stand
// beside anything say little.
func weight(w string) float64 {
	switch {
	case w == classBegin || w == classEnd || strings.HasPrefix(w, afterMark):
		return 0.3
	case weak[w]:
		return 0.3
	}
	return 1
}
