package match

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// stepTemplate is what the requests of one step repeat: hashes of shingles, sorted.
type stepTemplate struct {
	step     string
	shingles []uint32
}

// How templates are found: runs of words that recur in a large share of a step's
// requests. Longer runs than a greeting, so that common phrases stay.
const (
	shingleWords      = 4
	templateShare     = 0.25 // of the step's requests
	edgeShare         = 0.6  // for the first and last words, where people's own openings recur
	leastTexts        = 20   // of a step: fewer show no template
	maxSteps          = 64   // those with the most requests
	maxStepTexts      = 2000 // the latest of each step
	maxStepShingles   = 4096
	maxCountedShingle = 1 << 17 // while counting; beyond, those seen once are forgotten
	maxTemplateWords  = 4000    // of one text
)

// fitSteps finds the templates of the steps in the traffic.
func fitSteps(traffic []Logged) []stepTemplate {
	texts := map[string][]string{}
	for i := len(traffic) - 1; i >= 0; i-- {
		if l := &traffic[i]; len(texts[l.Step]) < maxStepTexts && l.Text != "" && len(l.Step) <= maxIDBytes {
			texts[l.Step] = append(texts[l.Step], l.Text)
		}
	}
	steps := make([]string, 0, len(texts))
	for step := range texts {
		steps = append(steps, step)
	}
	slices.SortFunc(steps, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(texts[b]), len(texts[a])), cmp.Compare(a, b))
	})
	var out []stepTemplate
	for _, step := range steps[:min(len(steps), maxSteps)] {
		if t := fitTemplate(texts[step]); len(t) > 0 {
			out = append(out, stepTemplate{step, t})
		}
	}
	slices.SortFunc(out, func(a, b stepTemplate) int { return cmp.Compare(a.step, b.step) })
	return out
}

// fitTemplate returns the shingles that recur in texts, sorted.
func fitTemplate(texts []string) []uint32 {
	if len(texts) < leastTexts {
		return nil
	}
	type tally struct {
		n, last int32
		edge    bool
	}
	counts := map[uint32]*tally{}
	for i, text := range texts {
		if len(counts) > maxCountedShingle {
			for h, t := range counts {
				if t.n == 1 {
					delete(counts, h)
				}
			}
		}
		eachShingle(spans(bothEnds(text)), func(h uint32, _, _ int, edge bool) {
			t := counts[h]
			if t == nil {
				t = &tally{last: -1, edge: edge}
				counts[h] = t
			}
			if t.last != int32(i) {
				t.n, t.last = t.n+1, int32(i)
			}
		})
	}
	var out []uint32
	for h, t := range counts {
		share := templateShare
		if t.edge {
			share = edgeShare
		}
		if float64(t.n) >= share*float64(len(texts)) {
			out = append(out, h)
		}
	}
	slices.Sort(out)
	return out[:min(len(out), maxStepShingles)]
}

// span is one word of a text; numbers are all alike.
type span struct {
	start, end int
	hash       uint64
}

// spans returns the words of text, at most maxTemplateWords; characters of
// scripts without spaces are words of their own.
func spans(text string) []span {
	var out []span
	open := false
	for i, r := range text {
		ok, dense := unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r), isDense(r)
		if !ok {
			open = false
			continue
		}
		if unicode.IsDigit(r) {
			r = '0'
		}
		if !open || dense {
			if len(out) == maxTemplateWords {
				break
			}
			out = append(out, span{start: i, hash: hashSeed})
		}
		w := &out[len(out)-1]
		w.hash = hashRune(w.hash, unicode.ToLower(r))
		w.end = i + len(string(r))
		if unicode.IsDigit(r) {
			w.end = i + runeLen(text[i:])
		}
		open = !dense
	}
	return out
}

func runeLen(s string) int {
	for i := range s {
		if i > 0 {
			return i
		}
	}
	return len(s)
}

// eachShingle yields the hashes of all runs of shingleWords words, and of the
// first and last two words, with the words they cover.
func eachShingle(ws []span, yield func(h uint32, from, to int, edge bool)) {
	for i := 0; i+shingleWords <= len(ws); i++ {
		h := uint64(hashSeed)
		for _, w := range ws[i : i+shingleWords] {
			h = (h ^ w.hash) * hashPrime
		}
		yield(finish(h, spaceWord), i, i+shingleWords, false)
	}
	if len(ws) > 2 {
		yield(finish((ws[0].hash*31+ws[1].hash)*hashPrime, spaceBigram), 0, 2, true)
		n := len(ws)
		yield(finish((ws[n-2].hash*31+ws[n-1].hash)*hashPrime, spaceGram), n-2, n, true)
	}
}

// template returns what is known of a step, or nil.
func (s *Stats) template(step string) *stepTemplate {
	if s == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(s.steps, step, func(t stepTemplate, step string) int { return cmp.Compare(t.step, step) })
	if !ok {
		return nil
	}
	return &s.steps[i]
}

// subtract removes the template's words from a turn and leaves a line end where
// they stood.
func (t *stepTemplate) subtract(text string) string {
	if t == nil {
		return text
	}
	ws := spans(text)
	covered := make([]bool, len(ws))
	eachShingle(ws, func(h uint32, from, to int, _ bool) {
		if _, ok := slices.BinarySearch(t.shingles, h); ok {
			for i := from; i < to; i++ {
				covered[i] = true
			}
		}
	})
	return remains(text, ws, covered)
}

// remains joins what is not covered. Where a covered run ends in a label, the
// label stays, since it says what follows.
func remains(text string, ws []span, covered []bool) string {
	var b strings.Builder
	at, from := 0, -1
	for i, w := range ws {
		if !covered[i] {
			continue
		}
		if from < 0 {
			b.WriteString(trimRemains(text[at:w.start]))
			from = w.start
		}
		at = w.end
		if i+1 == len(ws) || covered[i+1] {
			continue
		}
		next := ws[i+1].start
		b.WriteString("\n" + labelAtEnd(text[from:next]))
		from = -1
		if gap := text[at:next]; strings.Contains(gap, "\n\n") {
			b.WriteString("\n")
		}
	}
	if at == 0 {
		return text
	}
	b.WriteString(trimRemains(text[at:]))
	return b.String()
}

// labelAtEnd returns the label that a run of template ends in, as one of its kind.
func labelAtEnd(run string) string {
	run = strings.TrimSpace(run)
	if i := strings.LastIndexAny(run, ".!?\n"); i >= 0 {
		run = run[i+1:]
	}
	switch kind, rest, ok := label(strings.TrimSpace(run)); {
	case !ok || strings.TrimSpace(rest) != "":
		return ""
	case kind == asked:
		return "question: "
	default:
		return "context: "
	}
}

// trimRemains drops the punctuation that the template left at the lines' ends.
func trimRemains(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		line = strings.TrimFunc(line, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsPunct(r) && r != '?' && r != '¿' && r != '[' && r != '(' || unicode.IsSymbol(r)
		})
		if line != "" {
			b.WriteString(line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
