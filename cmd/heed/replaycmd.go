package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"heed/rules"
	"heed/store"
)

// replayAnswer is what admin says of a replay.
type replayAnswer struct {
	App      string     `json:"app"`
	Proposal string     `json:"proposal"`
	Title    string     `json:"title"`
	Set      rules.Head `json:"set"`
	Against  rules.Head `json:"against"`
	store.Replay
}

// against replays a proposal or a set against the logged traffic of a running Heed.
func (cmd replayCmd) against(e *env) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	q := appQuery(cmd.App)
	q.Set("requests", strconv.Itoa(cmd.Limit))
	what := "set"
	if isProposal(cmd.Target) {
		what = "proposal"
	}
	q.Set(what, cmd.Target)
	var r replayAnswer
	if err := c.call(e.ctx, http.MethodGet, "replay", url.Values(q), nil, &r); err != nil {
		return err
	}
	if cmd.JSON {
		err = printJSON(e, r)
	} else {
		err = printReplay(e.out, r)
	}
	if err == nil && cmd.MaxShare != nil && r.Share() > *cmd.MaxShare {
		return fmt.Errorf("%.1f %% of the requests would get other rules, more than --max-share %.1f %%", 100*r.Share(), 100**cmd.MaxShare)
	}
	return err
}

// isProposal tells a proposal's id, which has dashes, from a set's hash or epoch.
func isProposal(target string) bool { return strings.Contains(target, "-") }

func printReplay(w io.Writer, r replayAnswer) error {
	what := fmt.Sprintf("rule set %d (%s)", r.Set.Epoch, r.Set.Hash)
	if r.Proposal != "" {
		what = fmt.Sprintf("proposal %s: %s", r.Proposal, r.Title)
	}
	in := "no rules in force"
	if r.Against.Epoch > 0 {
		in = fmt.Sprintf("rule set %d in force", r.Against.Epoch)
	}
	_, err := fmt.Fprintf(w, "%s\nagainst %s, on the newest %d logged requests:\n%d would get other rules (%.1f %%)\n", what, in, r.Of, r.Touched, 100*r.Share())
	for _, rule := range r.Rules {
		if rule.Begins+rule.Ends == 0 {
			continue
		}
		_, err = fmt.Fprintf(w, "\n%s: %s\n  in scope of %d, was %d\n", rule.ID, rule.Text, rule.After, rule.Before)
		printSamples(w, "+", "newly in scope", rule.Begins, rule.Newly)
		printSamples(w, "-", "no longer in scope", rule.Ends, rule.Gone)
	}
	return err
}

func printSamples(w io.Writer, sign, what string, n int, samples []store.Sample) {
	if n == 0 {
		return
	}
	fmt.Fprintf(w, "  %s%d %s, such as\n", sign, n, what)
	for _, s := range samples {
		fmt.Fprintf(w, "      %s  %q\n", s.Exchange, s.Query)
	}
}
