package admin

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"heed/rules"
	"heed/rules/check"
	"heed/store"
)

// pageFuncs are what pages may call. None of them returns markup.
var pageFuncs = template.FuncMap{
	"ago":      func(t time.Time) string { return ago(t, time.Now()) },
	"stamp":    stamp,
	"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"pct":      pct,
	"signed":   signed,
	"width":    func(p float64) string { return strconv.FormatFloat(100*min(1, max(0, p)), 'f', 2, 64) },
	"percent":  func(p float64) string { return strconv.FormatFloat(100*p, 'f', -1, 64) },
	"f64":      func(p float32) float64 { return float64(p) },
	"count":    count,
	"plural":   plural,
	"short":    short,
	"pretty":   pretty,
	"text":     (*rules.Rule).Text,
	"when":     when,
	"ms":       ms,
	"dict":     dict,
	"yes":      func(p *bool) bool { return p != nil && *p },
	"ratio":    func(x, total float64) float64 { return x / math.Max(1e-12, total) },
	"total":    totalWeight,
	"early":    func(low, high float64) bool { return low <= -1 && high >= 1 },
	"verdict":  verdict,
	"rests":    restsOn,
	"day":      func(t time.Time) string { return t.UTC().Format("2 January") },
	"main":     mainSource,
	"trend":    func(f *store.Finding) *trend { return trendOf(f, time.Now()) },
	"left":     func(h float64) float64 { return 1 - h },
	"lastday":  lastDay,
	"dayfield": dayField,
	"source": func(r *rules.Rule) string {
		if r.Fact == nil {
			return ""
		}
		return r.Fact.Source
	},
	"claims": func(r *rules.Rule) bool { return r.Fact != nil || check.Claims(r.Action) },
	"ranout": func(r *rules.Rule) bool { return r.RanOut(time.Now()) },
	"weburl": func(s string) bool { return strings.HasPrefix(s, "https://") && !strings.Contains(s, " ") },
	"was":    was,
	"deref":  func(p *float64) float64 { return *p },
	"share":  func(x, n int) float64 { return float64(x) / math.Max(1, float64(n)) },
	"low":    func(x, n int) float64 { _, l, _ := wilson(x, n); return l },
	"high":   func(x, n int) float64 { _, _, h := wilson(x, n); return h },
	"add":    func(a, b int) int { return a + b },
	"usd":    usd,
	"tokens": func(n int64) string { return count(int(n)) },
	"priced": priced,
	"clip":   func(n int, s string) string { return clip(s, n) },
}

func ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < -time.Minute:
		return stamp(t)
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	case d < 30*24*time.Hour:
		return fmt.Sprintf("%d d ago", int(d.Hours()/24))
	}
	return t.UTC().Format("2 Jan 2006")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2 Jan 2006, 15:04:05 UTC")
}

func pct(p float64) string {
	if p != 0 && math.Abs(p) < 0.0995 {
		return strconv.FormatFloat(100*p, 'f', 1, 64) + "\u00a0%"
	}
	return strconv.FormatFloat(100*p, 'f', 0, 64) + "\u00a0%"
}

// signed is a difference in percentage points.
func signed(p float64) string {
	s := strings.Replace(fmt.Sprintf("%+.0f", 100*p), "-", "−", 1)
	if s == "+0" || s == "−0" {
		return "±0"
	}
	return s
}

// count is a number with its thousands apart.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// short is the telling end of an id.
func short(id string) string {
	if len(id) <= 10 {
		return id
	}
	return id[len(id)-8:]
}

// pretty indents JSON and leaves everything else as it is.
func pretty(s string) string {
	t := strings.TrimSpace(s)
	if !strings.HasPrefix(t, "{") && !strings.HasPrefix(t, "[") {
		return s
	}
	var b strings.Builder
	var v json.RawMessage
	if json.Unmarshal([]byte(t), &v) != nil {
		return s
	}
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(v) != nil {
		return s
	}
	return strings.TrimSpace(b.String())
}

// when is the condition as it stands in the rule's line, without its first word.
func when(r *rules.Rule) string {
	head, _, found := strings.Cut(r.Text(), r.Action)
	if !found {
		return ""
	}
	return strings.TrimSpace(head)
}

func ms(us int64) string {
	switch {
	case us == 0:
		return "–"
	case us < 1000:
		return fmt.Sprintf("%d µs", us)
	case us < 10_000:
		return fmt.Sprintf("%.1f ms", float64(us)/1000)
	case us < 1_000_000:
		return fmt.Sprintf("%d ms", us/1000)
	}
	return fmt.Sprintf("%.1f s", float64(us)/1e6)
}

func totalWeight(p rules.Policy) float64 {
	var sum float64
	for _, s := range p.Shares {
		sum += s.Weight
	}
	return sum
}

// said is a verdict on a rule and the class that colours it.
type said struct{ Text, Class string }

func verdict(e *effect) *said {
	if e.With.Exchanges+e.Without.Exchanges == 0 {
		return nil
	}
	switch e.Verdict {
	case store.Harms:
		return &said{"harms", "bad"}
	case store.Helps:
		return &said{"helps", "active"}
	case store.HelpsBefore:
		return &said{"helps, compared with before", "canary"}
	case store.Unhealthy:
		return &said{"figures in doubt", "warn"}
	case store.NoHoldout:
		return nil
	case store.Collecting:
		return &said{"too early to tell", ""}
	}
	return &said{"not proven", ""}
}

// restsOn says in plain words what a verdict rests on and what it is worth.
func restsOn(e *effect) string {
	switch e.Verdict {
	case store.Harms, store.Helps:
		for _, s := range e.Sources {
			if s.Verdict == e.Verdict {
				return "Compared at the same time: people who got the rule and people who, by lot, did not. What else changed came to both."
			}
		}
		for _, s := range e.Sources {
			if s.Before != nil && s.Before.Verdict == store.Harms && s.Before.Unconfirmed {
				return "Compared with before the rule. The people without it at the same time are too few to say whether it is the rule's doing, or whether " +
					"something else changed that day. A harm this sure is not waited for: a pause can be taken back."
			}
		}
		return "Compared with before the rule. The people without it at the same time stayed as before, so it is probably the rule's doing; " +
			"they are too few to show it alone. A rule that seems to harm is paused all the same: that can be taken back."
	case store.HelpsBefore:
		return "Compared with before the rule. The people without it at the same time stayed as before, so it is probably the rule's doing. " +
			"They are still too few to show it alone: “helps” stands here without the addition when they do."
	case store.Unhealthy:
		return "One side has more people than the lot allows, or is judged more often. Until that is found, no benefit is believed."
	case store.Collecting:
		for _, s := range e.Sources {
			if s.Before != nil && s.Before.Withheld {
				return "Much changed since before the rule, but the people without it changed as well, or are too few to tell. So it may be another model, prompt or season, and nothing is said yet."
			}
		}
		return fmt.Sprintf("Nothing can be said yet, however it looks. It is called not proven after %d people without a verdict.", store.ProvenWithin)
	case store.NotProven:
		return fmt.Sprintf("After more than %d people neither benefit nor harm shows. A small effect is possible; a large one would have shown.", store.ProvenWithin)
	}
	return ""
}

// mainSource is the judgement that a row of rules shows: checks where there are
// any, else ratings; nil while it is too early for either.
func mainSource(e *effect) *store.Estimate {
	for i, s := range e.Sources {
		if s.Source != "failure" && (s.Low > -1 || s.High < 1) {
			return &e.Sources[i]
		}
	}
	return nil
}

// was is the share that the target had before, -1 when that is not known.
func was(c *store.RoutingCase, s rules.Share) float64 {
	if c == nil {
		return -1
	}
	var mine float64
	for _, b := range c.Before {
		if b.Upstream == s.Upstream && b.Model == s.Model {
			mine = b.Weight
		}
	}
	return mine / math.Max(1e-12, totalWeight(rules.Policy{Shares: c.Before}))
}

// dict passes several values to a part of a page.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: odd number of arguments")
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is no string", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}
