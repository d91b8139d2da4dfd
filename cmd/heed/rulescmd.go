package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"heed/rules"
	"heed/store"
)

// rulesCmd is `heed rules …`.
type rulesCmd struct {
	App string `help:"The app; default: the only one." placeholder:"NAME"`

	List    rulesListCmd    `cmd:"" help:"Rules in force and proposals that wait."`
	Show    rulesShowCmd    `cmd:"" help:"One rule with all its versions, or one proposal, as JSON."`
	Approve rulesApproveCmd `cmd:"" help:"Put a proposal in force."`
	Reject  rulesRejectCmd  `cmd:"" help:"Reject a proposal."`
	Retire  rulesRetireCmd  `cmd:"" help:"Take a rule out of force for good."`
	Export  rulesExportCmd  `cmd:"" help:"Write the rules in force as JSON lines, for apply."`
	Apply   rulesApplyCmd   `cmd:"" help:"Add rules from JSON lines: action, applies_when, examples, scope, valid_to, fact."`
}

type rulesListCmd struct{}

// Run prints rules and proposals as a table.
func (rulesListCmd) Run(e *env, parent *cli) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tRULE")
	q := appQuery(parent.Rules.App)
	err = each(e.ctx, c, "rules", q, func(r rules.Rule) error {
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\n", r.Ref(), stateOf(&r), r.Text())
		return err
	})
	if err != nil {
		return err
	}
	q.Set("state", "open")
	err = each(e.ctx, c, "proposals", q, func(p store.Proposal) error {
		_, err := fmt.Fprintf(w, "%s\tproposed\t%s\n", p.ID, p.Title)
		return err
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

// stateOf is the rule's state, and whether its time is over.
func stateOf(r *rules.Rule) string {
	if r.RanOut(time.Now()) && (r.State == rules.Active || r.State == rules.Canary) {
		return string(r.State) + ", ran out"
	}
	return string(r.State)
}

type rulesShowCmd struct {
	ID string `arg:"" help:"Id of a rule (r_…) or proposal."`
}

// Run prints the rule's versions or the proposal.
func (cmd rulesShowCmd) Run(e *env, parent *cli) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	path, err := pathOf("proposals", cmd.ID)
	if strings.HasPrefix(cmd.ID, "r_") {
		path, err = pathOf("rules", cmd.ID)
	}
	if err != nil {
		return err
	}
	var v json.RawMessage
	if err := c.call(e.ctx, http.MethodGet, path, appQuery(parent.Rules.App), nil, &v); err != nil {
		return err
	}
	return printJSON(e, v)
}

// pathOf is the API's path of one thing of a list; a rule may be named with its version.
func pathOf(list, id string) (string, error) {
	if list == "rules" {
		id, _, _ = strings.Cut(id, "@")
	}
	if strings.Trim(id, ". ") == "" { // an unset variable in a script
		return "", fmt.Errorf("%q is no id: heed rules list shows them", id)
	}
	return list + "/" + url.PathEscape(id), nil
}

func printJSON(e *env, v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

type rulesApproveCmd struct {
	ID      string   `arg:"" help:"Id of the proposal."`
	Holdout *float64 `help:"Share of conversations that never get the rule, between 0 and 0.5."`
	Ramp    *float64 `help:"Start as a canary for this share of the others."`
	Yes     bool     `short:"y" help:"Do not ask."`
}

// Run shows what would be put in force, asks, and approves exactly that.
func (cmd rulesApproveCmd) Run(e *env, parent *cli) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	path, err := pathOf("proposals", cmd.ID)
	if err != nil {
		return err
	}
	q := appQuery(parent.Rules.App)
	var p store.Proposal
	if err := c.call(e.ctx, http.MethodGet, path, q, nil, &p); err != nil {
		return err
	}
	fmt.Fprintln(e.out, p.Title)
	if p.Rule() != nil {
		fmt.Fprintf(e.out, "would touch %d of the last %d requests; asked for by %s\n", p.Touch.In, p.Touch.Of, people(p.People))
	}
	if p.Reason != "" { // as of a rule that was paused
		fmt.Fprintf(e.out, "why: %s\n", p.Reason)
	}
	if r := p.Rule(); r != nil && r.Fact != nil {
		fmt.Fprintf(e.out, "a fact: %s says so; it stands in %q; until %s\n", r.Fact.Author, r.Fact.Source, r.ValidTo.Format(time.RFC3339))
	}
	for _, ev := range p.Evidence {
		fmt.Fprintf(e.out, "  %q\n", ev.Quote)
	}
	printChanges(e, &p)
	if !cmd.Yes {
		fmt.Fprint(e.out, "Approve it? [y/N] ")
		var answer string
		if _, err := fmt.Fscanln(os.Stdin, &answer); err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
			return fmt.Errorf("not approved")
		}
	}
	in := map[string]any{"digest": p.Digest()}
	if p.Rule() != nil {
		in["share"] = p.Touch.Share() // as it was shown
	}
	if cmd.Holdout != nil {
		in["holdout"] = *cmd.Holdout
	}
	if cmd.Ramp != nil {
		in["ramp"] = *cmd.Ramp
	}
	if err := c.call(e.ctx, http.MethodPost, path+"/approve", q, in, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.out, "approved")
	return err
}

// printChanges says what a card warns of: unsafe words, contradictions, and what
// else would change.
func printChanges(e *env, p *store.Proposal) {
	for _, problem := range p.Problems {
		fmt.Fprintf(e.out, "unsafe: it %s\n", problem.Message)
	}
	for _, c := range p.Conflicts {
		fmt.Fprintf(e.out, "contradicts %q: %s\n", c.Action, c.Reason)
	}
	for i, op := range p.Ops {
		if op.OfPaused() {
			fmt.Fprintf(e.out, "is paused: %s  %s\n", op.Rule.ID, op.Rule.Text())
			continue
		}
		for _, id := range op.IDs {
			fmt.Fprintf(e.out, "takes out of force: %s\n", id)
		}
		if i > 0 && op.Kind == rules.Revise {
			fmt.Fprintf(e.out, "narrows: %s  %s\n", op.Rule.ID, op.Rule.Text())
		}
	}
}

func people(n int) string {
	if n == 1 {
		return "one person"
	}
	return fmt.Sprint(n, " people")
}

type rulesRejectCmd struct {
	ID     string `arg:"" help:"Id of the proposal."`
	Reason string `help:"Why; the learner does not propose it again for the same reason."`
}

// Run rejects a proposal.
func (cmd rulesRejectCmd) Run(e *env, parent *cli) error {
	path, err := pathOf("proposals", cmd.ID)
	if err != nil {
		return err
	}
	return post(e, parent.Rules.App, path+"/reject", map[string]any{"reason": cmd.Reason}, "rejected")
}

type rulesRetireCmd struct {
	ID     string `arg:"" help:"Id of the rule."`
	Reason string `help:"Why."`
}

// Run retires a rule.
func (cmd rulesRetireCmd) Run(e *env, parent *cli) error {
	path, err := pathOf("rules", cmd.ID)
	if err != nil {
		return err
	}
	return post(e, parent.Rules.App, path+"/retire", map[string]any{"reason": cmd.Reason}, "retired")
}

func post(e *env, app, path string, in any, done string) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	if err := c.call(e.ctx, http.MethodPost, path, appQuery(app), in, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.out, done)
	return err
}

// ruleLine is one rule of export and apply.
type ruleLine struct {
	App         string      `json:"app,omitempty"`
	Action      string      `json:"action"`
	AppliesWhen string      `json:"applies_when,omitempty"`
	Examples    []string    `json:"examples,omitempty"`
	Scope       rules.Scope `json:"scope"`
	ValidTo     time.Time   `json:"valid_to,omitzero"`
	Fact        *factLine   `json:"fact,omitempty"`
}

// factLine is where a fact stands; its author is who applies it.
type factLine struct {
	Source string `json:"source"`
}

type rulesExportCmd struct{}

// Run writes the rules in force.
func (rulesExportCmd) Run(e *env, parent *cli) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(e.out)
	return each(e.ctx, c, "rules", appQuery(parent.Rules.App), func(r rules.Rule) error {
		if r.State != rules.Active && r.State != rules.Canary {
			return nil
		}
		l := ruleLine{App: r.App, Action: r.Action, AppliesWhen: r.Scope.AppliesWhen, Examples: r.Scope.Examples, Scope: r.Scope, ValidTo: r.ValidTo}
		if r.Fact != nil {
			l.Fact = &factLine{r.Fact.Source}
		}
		l.Scope.AppliesWhen, l.Scope.Examples = "", nil
		return enc.Encode(l)
	})
}

type rulesApplyCmd struct {
	File *os.File `arg:"" help:"JSON lines, - for standard input."`
}

// Run adds every rule of the file that is not in force already.
func (cmd rulesApplyCmd) Run(e *env, parent *cli) error {
	defer cmd.File.Close()
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	err = each(e.ctx, c, "rules", appQuery(parent.Rules.App), func(r rules.Rule) error {
		there[r.Text()] = there[r.Text()] || r.State == rules.Active || r.State == rules.Canary
		return nil
	})
	if err != nil {
		return err
	}
	d := json.NewDecoder(cmd.File)
	d.DisallowUnknownFields()
	for n := 1; d.More(); n++ {
		var l ruleLine
		if err := d.Decode(&l); err != nil {
			return fmt.Errorf("rule %d: %w", n, err)
		}
		if parent.Rules.App != "" {
			l.App = parent.Rules.App
		}
		r := rules.Rule{Action: l.Action, Scope: l.Scope}
		r.Scope.AppliesWhen = l.AppliesWhen
		if there[r.Text()] {
			fmt.Fprintln(e.out, "in force already:", r.Text())
			continue
		}
		var got struct {
			State string `json:"state"`
		}
		if err := c.call(e.ctx, http.MethodPost, "rules", appQuery(l.App), l, &got); err != nil {
			return fmt.Errorf("rule %d: %w", n, err)
		}
		did := "added:"
		if got.State == string(store.Open) { // admin.four_eyes
			did = "proposed:"
		}
		fmt.Fprintln(e.out, did, r.Text())
		there[r.Text()] = got.State != string(store.Open)
	}
	return nil
}
