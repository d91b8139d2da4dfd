package admin

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"heed/rules"
	"heed/rules/check"
)

// fact is what an admin says of a rule that has the agent assert something; who
// says so is its author.
type fact struct {
	Source string `json:"source"`
}

// of makes the rule rest on the fact's source; an empty one takes it away, nil
// leaves the rule as it is.
func (f *fact) of(r *rules.Rule, who person) {
	if f == nil {
		return
	}
	switch s := oneLine(f.Source); {
	case s == "":
		r.Fact = nil
	case r.Fact == nil || r.Fact.Source != s:
		r.Fact = &rules.Fact{Author: who.Name, Source: s}
	}
}

// validateNew is validate for what is to come in force now.
func (a *Admin) validateNew(r *rules.Rule) error {
	if strings.TrimSpace(r.Action) != "" && len(a.unsafe(r)) == 0 {
		if e := unproven(r, time.Now()); e != nil {
			return e
		}
	}
	return a.validate(r)
}

// unproven refuses a rule that has the agent assert a fact (check.Claims) without
// saying where it stands and until when it holds, and one whose time is over. Nil
// if it may be approved.
func unproven(r *rules.Rule, now time.Time) *Error {
	if r.RanOut(now) {
		return badRequest("valid_to", "valid_to lies in the past: the rule would never be injected")
	}
	if !check.Claims(r.Action) {
		return nil
	}
	var lacks []string
	param := "valid_to"
	if r.ValidTo.IsZero() {
		lacks = append(lacks, "until when it holds (valid_to)")
	}
	if r.Fact == nil {
		lacks = append([]string{"where it stands (fact.source: a page, a document or a person)"}, lacks...)
		param = "fact.source"
	}
	if len(lacks) == 0 {
		return nil
	}
	return &Error{Status: http.StatusUnprocessableEntity, Code: "fact", Param: param,
		Message: "this has the agent state a fact, which may be wrong or cease to be true: say " + strings.Join(lacks, " and ") + ", or word it as how to answer"}
}

// fact reads the form's field about where a fact stands.
func (c *call) fact() *fact { return &fact{Source: c.field("source")} }

// until reads the form's last day of a rule and returns the moment after it; zero
// when the field is empty.
func (c *call) until() (time.Time, error) {
	s := c.field("valid_to")
	if s == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return day, badRequest("valid_to", fmt.Sprintf("the last day is %q: want a date such as 2026-12-31", clip(s, 20)))
	}
	return day.Add(24 * time.Hour), nil
}

// lastDay is the day on which a rule ends as people write it: the day before when
// it ends at midnight. "" when it does not end.
func lastDay(t time.Time) string {
	switch t = t.UTC(); {
	case t.IsZero():
		return ""
	case t.Truncate(24 * time.Hour).Equal(t):
		return t.Add(-time.Second).Format("2 Jan 2006")
	}
	return stamp(t)
}

// dayField is lastDay for a form's date field.
func dayField(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Add(-time.Second).Format(time.DateOnly)
}

// ranOut lists the rules of the set whose time is over.
func ranOut(set *rules.Set, now time.Time) []rules.Rule {
	var out []rules.Rule
	for _, r := range set.Rules {
		if r.RanOut(now) {
			out = append(out, r)
		}
	}
	return out
}
