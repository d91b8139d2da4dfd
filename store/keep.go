package store

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"heed/rules"
)

// What every backend does alike with what it is given: the form that is kept, and
// the cursors of its lists.

// KeptTime is a time as the store keeps it: UTC, whole milliseconds. The zero
// time stays zero.
func KeptTime(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}

// Cut shortens s to at most n bytes without breaking a character.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// PageSize is the number of items that a filter's limit asks for.
func PageSize(limit int) int {
	if limit <= 0 {
		return DefaultPage
	}
	return min(limit, MaxPage)
}

// Cursor is where a page ended, a number and an id, opaque to callers.
func Cursor(n int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(n, 36) + "." + id))
}

// ParseCursor reads what Cursor wrote; ok is false for "". What Cursor did not
// write is ErrCursor.
func ParseCursor(c string) (n int64, id string, ok bool, err error) {
	if c == "" {
		return 0, "", false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(c)
	if err == nil {
		var num string
		if num, id, ok = strings.Cut(string(b), "."); ok {
			n, err = strconv.ParseInt(num, 36, 64)
		}
	}
	if err != nil || !ok {
		return 0, "", false, fmt.Errorf("cursor %q: %w", c, ErrCursor)
	}
	return n, id, true, nil
}

// Kept is the exchange in the form that is kept, sharing its bodies and slices
// with x, and its JSON without the bodies.
func (x *Exchange) Kept() (y Exchange, facts []byte, err error) {
	if x == nil {
		return y, nil, errors.New("exchange is nil")
	}
	y = *x
	if y.ID == "" || y.App == "" {
		return y, nil, fmt.Errorf("exchange %q of app %q: id and app must be set", y.ID, y.App)
	}
	y.Time, y.Facts.Now = KeptTime(y.Time), KeptTime(y.Facts.Now)
	y.Query, y.Answer = Cut(y.Query, MaxQueryBytes), Cut(y.Answer, MaxCopyBytes)
	y.Request, y.Response = y.Request[:min(len(y.Request), MaxBodyBytes)], y.Response[:min(len(y.Response), MaxBodyBytes)]
	facts, err = y.AppendRow(nil)
	return y, facts, err
}

// InScope reports whether the rule of that id was in the exchange's scope.
func (x *Exchange) InScope(rule string) bool {
	return slices.ContainsFunc(x.Decision.Rules, func(r rules.RuleDecision) bool { return r.ID == rule })
}

// Target is the upstream and the model that answered, as a filter names them.
func (x *Exchange) Target() string {
	return x.Decision.Target.Upstream + "/" + x.Decision.Target.Model
}

// Matches checks all that the filter asks of an exchange, but for App, Text and
// the cursor.
func (f *ExchangeFilter) Matches(x *Exchange) bool {
	at := x.Time.UnixMilli()
	switch {
	case !f.Since.IsZero() && at < f.Since.UnixMilli():
	case !f.Until.IsZero() && at >= f.Until.UnixMilli():
	case f.Step != "" && x.Facts.Step != f.Step:
	case f.Session != "" && x.Session != f.Session:
	case f.Unit != "" && x.Facts.Unit != f.Unit:
	case f.User != "" && x.Facts.User != f.User:
	case f.Alias != "" && x.Facts.Alias != f.Alias:
	case f.Target != "" && x.Target() != f.Target:
	case f.Outcome != "" && x.Outcome != f.Outcome:
	case f.Failure != "" && !slices.Contains(x.Failures, f.Failure):
	case f.Queries && x.Query == "":
	case f.Rule != "" && !x.InScope(f.Rule):
	default:
		return true
	}
	return false
}

// maxFeedbackBytes bounds one record as JSON: three texts of MaxTextBytes, with
// room for escapes, labels and template answers.
const maxFeedbackBytes = 96 << 10

// Kept is the record in the form that is kept, sharing nothing with f, and its
// JSON. It gets an id and a time if it has none.
func (f *Feedback) Kept() (*Feedback, []byte, error) {
	own := *f
	own.ID = cmp.Or(own.ID, NewID())
	if own.Time.IsZero() {
		own.Time = time.Now()
	}
	own.Time = KeptTime(own.Time)
	own.Retracted, own.SupersededBy, own.Link = time.Time{}, "", nil
	own.Tries, own.Aside, own.Given = 0, "", false
	for name, text := range map[string]string{"comment": f.Comment, "applies_when": f.When, "correction": f.Correction} {
		if len(text) > MaxTextBytes {
			return nil, nil, fmt.Errorf("feedback %s has %d bytes, at most %d: %w", name, len(text), MaxTextBytes, ErrTooLarge)
		}
	}
	doc, err := json.Marshal(&own)
	if err != nil {
		return nil, nil, fmt.Errorf("feedback: %w", err)
	}
	if len(doc) > maxFeedbackBytes {
		return nil, nil, fmt.Errorf("feedback has %d bytes as JSON, at most %d: %w", len(doc), maxFeedbackBytes, ErrTooLarge)
	}
	kept := new(Feedback)
	return kept, doc, json.Unmarshal(doc, kept)
}

// Reused is the error for a record whose key, or id, another one has.
func (f *Feedback) Reused() error {
	return fmt.Errorf("feedback %q: %w", cmp.Or(f.Key, f.ID), ErrReused)
}

// Kept is the link in the form that is kept.
func (l *Link) Kept() *Link {
	c := *l
	c.Time, c.Query, c.Answer = KeptTime(l.Time), Cut(l.Query, MaxCopyBytes), Cut(l.Answer, MaxCopyBytes)
	return &c
}

// Kept is the proposal in the form that is kept by changes of the app.
func (p *Proposal) Kept(app string) (*Proposal, error) {
	if p.App != app || p.ID == "" {
		return nil, fmt.Errorf("proposal %q of app %q in changes of app %q: want an id and the same app", p.ID, p.App, app)
	}
	c := *p
	c.Created, c.Updated, c.DecidedAt, c.Until = KeptTime(p.Created), KeptTime(p.Updated), KeptTime(p.DecidedAt), KeptTime(p.Until)
	c.Evidence = keptEvidence(p.Evidence)
	return &c, nil
}

// RuleIDs are the ids of the rules that the proposal would change.
func (p *Proposal) RuleIDs() []string {
	var ids []string
	for _, o := range p.Ops {
		ids = append(ids, o.IDs...)
		if o.Rule != nil && !slices.Contains(o.IDs, o.Rule.ID) {
			ids = append(ids, o.Rule.ID)
		}
	}
	return ids
}

// Kept is the finding in the form that is kept by changes of the app.
func (f *Finding) Kept(app string) (*Finding, error) {
	if f.App != app || f.ID == "" {
		return nil, fmt.Errorf("finding %q of app %q in changes of app %q: want an id and the same app", f.ID, f.App, app)
	}
	c := *f
	c.Created, c.Updated = KeptTime(f.Created), KeptTime(f.Updated)
	c.Evidence = keptEvidence(f.Evidence)
	return &c, nil
}

func keptEvidence(es []Evidence) []Evidence {
	out := slices.Clone(es)
	for i := range out {
		out[i].Time = KeptTime(out[i].Time)
	}
	return out
}

// Publication checks what Publish was given and returns it as it will be kept,
// sharing nothing with the caller: the set, and the audit entry with the new head.
func Publication(app string, base rules.Epoch, set *rules.Set, a Audit) (*rules.Set, Audit, error) {
	if set == nil || set.App != app {
		return nil, a, fmt.Errorf("publish for app %q: the set is missing or of another app", app)
	}
	if a.App != "" && a.App != app {
		return nil, a, fmt.Errorf("publish for app %q: the audit entry is of app %q", app, a.App)
	}
	if err := set.Validate(); err != nil {
		return nil, a, fmt.Errorf("publish: %w", err)
	}
	own, err := rules.ParseSet(set.JSON())
	if err != nil {
		return nil, a, fmt.Errorf("publish: %w", err)
	}
	a.App, a.Head = app, rules.Head{Epoch: base + 1, Hash: own.Hash()}
	if a.Time.IsZero() {
		a.Time = time.Now()
	}
	kept, err := a.Kept()
	return own, kept, err
}
