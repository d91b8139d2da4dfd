package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"heed/store"
)

// effectCmd is `heed effect RULE`.
type effectCmd struct {
	App       string `help:"The app; default: the only one." placeholder:"NAME"`
	Rule      string `arg:"" help:"Id of the rule (r_…)."`
	Recompute bool   `help:"Compute it here from the store's log instead of asking admin."`
	JSON      bool   `name:"json" help:"As JSON."`
}

// Run prints what the rule did so far.
func (cmd effectCmd) Run(e *env) error {
	id, _, _ := strings.Cut(cmd.Rule, "@")
	get := cmd.ask
	if cmd.Recompute {
		get = cmd.recompute
	}
	effect, err := get(e, id)
	if err != nil {
		return err
	}
	if cmd.JSON {
		return printJSON(e, effect)
	}
	return printEffect(e.out, effect)
}

func (cmd effectCmd) ask(e *env, id string) (store.Effect, error) {
	var effect store.Effect
	c, err := newAdminClient(e)
	if err != nil {
		return effect, err
	}
	err = c.call(e.ctx, http.MethodGet, "rules/"+url.PathEscape(id)+"/effect", appQuery(cmd.App), nil, &effect)
	return effect, err
}

func (cmd effectCmd) recompute(e *env, id string) (store.Effect, error) {
	c, err := e.load()
	if err != nil {
		return store.Effect{}, err
	}
	s, err := openForReading(e.ctx, c)
	if err != nil {
		return store.Effect{}, err
	}
	defer s.Close()
	app := cmd.App
	if app == "" {
		apps, err := s.Apps(e.ctx)
		if err != nil {
			return store.Effect{}, err
		}
		if len(apps) != 1 {
			return store.Effect{}, fmt.Errorf("the store has %d apps %v: name one with --app", len(apps), apps)
		}
		app = apps[0]
	}
	return store.EffectOf(e.ctx, s, app, id)
}

// printEffect writes the effect as a table.
func printEffect(out io.Writer, e store.Effect) error {
	fmt.Fprintf(out, "%s: %s\n%s\n\n", e.Rule, e.Verdict, e.Why)
	fmt.Fprintf(out, "%d exchanges in scope, %d of them without the rule; %d units, of which %d got it (%.0f to be expected, p = %.2g)\n",
		e.Exchanges, e.Withheld, e.Units, e.Treated, e.Expected, e.Mismatch)
	if len(e.Sources) == 0 && e.Tokens == nil {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nSOURCE\tWITH\tUNITS\tWITHOUT\tUNITS\tDIFFERENCE\tAT EVERY LOOK\tVERDICT\t")
	for _, s := range e.Sources {
		fmt.Fprintf(w, "%s\t%.1f %%\t%d\t%.1f %%\t%d\t%+.1f\t%+.1f to %+.1f\t%s\t\n", s.Source, 100*s.TreatedMean, s.Treated,
			100*s.ControlMean, s.Control, 100*s.Difference, 100*s.Low, 100*s.High, s.Verdict)
		if b := s.Before; b != nil {
			fmt.Fprintf(w, "%s, before\t%.1f %%\t%d\t%.1f %%\t%d\t%+.1f\t%+.1f to %+.1f\t%s\t\n", s.Source, 100*b.With.Share(), b.With.Of,
				100*b.Before.Share(), b.Before.Of, 100*b.Difference, 100*b.Low, 100*b.High, b.Verdict)
		}
	}
	if t := e.Tokens; t != nil {
		difference, interval := "-", "-"
		if t.Difference != nil {
			difference = fmt.Sprintf("%+.1f", *t.Difference)
			interval = fmt.Sprintf("%+.1f to %+.1f", t.Interval.Low, t.Interval.High)
		}
		fmt.Fprintf(w, "tokens\t%.1f\t%d\t%.1f\t%d\t%s\t%s\t\t\n", t.TreatedMean, t.Treated, t.ControlMean, t.Control, difference, interval)
	}
	return w.Flush()
}
