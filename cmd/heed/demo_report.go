package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// showAnswers prints one complaint, the same kind of question before and after,
// and a reworded one.
func (p *script) showAnswers(before, after figures) {
	fmt.Fprintf(p.out, "A customer asked %q and said:\n  %q", p.judged.Text, p.said.Comment)
	if p.said.AppliesWhen != "" {
		fmt.Fprintf(p.out, "  (when does this apply? %q)", p.said.AppliesWhen)
	}
	fmt.Fprint(p.out, "\n\nQuestions on the same topic that nobody had judged, before and after:\n")
	shown := 0
	for _, q := range p.unseen {
		if q.Topic == p.judged.Topic && before.sample[q.Text] != after.sample[q.Text] && shown < 2 {
			fmt.Fprintf(p.out, "\n  %s\n  before  %s\n  after   %s\n", q.Text, indent(before.sample[q.Text]), indent(after.sample[q.Text]))
			shown++
		}
	}
}

func indent(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n          ") }

// showBytes sends the first neighbouring question that gets no rule, and compares
// what the model received with what the client sent. Those that get one, wrongly,
// are counted in the table below.
func (p *script) showBytes(ctx context.Context) error {
	if p.model == nil {
		fmt.Fprintln(p.out, "\n(With --upstream the bytes that arrive there cannot be seen from here.)")
		return nil
	}
	for _, q := range p.near {
		sent, rules, err := p.send(ctx, q.Text)
		if err != nil {
			return err
		}
		if rules != "" {
			continue
		}
		got := p.model.Requests()
		fmt.Fprintf(p.out, "\nA neighbouring question that gets no rule, %q: the request that reached the model is %d bytes different.\n",
			q.Text, different(sent, got[len(got)-1].Body))
		return nil
	}
	fmt.Fprintln(p.out, "\nEvery neighbouring question gets a rule by now.")
	return nil
}

// send asks with a model name that no alias changes. It returns the body that was
// sent, and which rules the request got.
func (p *script) send(ctx context.Context, question string) (body []byte, rules string, err error) {
	body, err = json.Marshal(map[string]any{"model": p.bare, "messages": []map[string]string{
		{"role": "system", "content": p.scene.System}, {"role": "user", "content": question}}})
	if err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.stack.gatewayURL+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+demoKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return body, resp.Header.Get("Heed-Rules"), err
}

// different counts the positions at which a and b differ, and their difference in
// length.
func different(a, b []byte) int {
	n := max(len(a), len(b)) - min(len(a), len(b))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// report prints the table and fails when nothing was learned.
func (p *script) report(before, after figures) error {
	slices.Sort(p.toCard)
	if err := p.showCurve(); err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	row := func(label string, values ...any) { fmt.Fprintf(w, "%s\t%s\n", label, fmt.Sprint(values...)) }
	row("feedback records", p.records, " by ", oncePeople, " people: ", p.kinds())
	row("proposals / approved / examples ticked by the admin", p.proposed, " / ", p.approved, " / ", p.ticked)
	if len(p.toCard) > 0 {
		row("feedback to its card, median", p.toCard[len(p.toCard)/2].Round(time.Millisecond))
	}
	row("approval to the first answer with it", p.toEffect.Round(time.Millisecond))
	if err := w.Flush(); err != nil {
		return err
	}
	if p.model != nil {
		fmt.Fprintln(p.out, "\nThe model obeys by construction, so this measures the loop (capture, scope, approval, speed), not a model.")
	}
	if after.met <= before.met {
		return fmt.Errorf("nothing was learned: adherence %d of %d before, %d after", before.met, before.of, after.met)
	}
	return nil
}

// showCurve prints what was measured at every checkpoint, on questions that Heed
// never saw.
func (p *script) showCurve() error {
	fmt.Fprintf(p.out, "\nOn %d unseen questions (with %d hidden expectations), %d of neighbouring topics and %d unrelated ones:\n\n",
		len(p.unseen), p.curve[0].of, len(p.near), len(p.far))
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "records\trules\tadherence, unseen questions\tfalse injections, neighbouring\tunrelated")
	for _, c := range p.curve {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\n", c.records, c.approved, share(c.met, c.of), share(c.near, c.nears), share(c.far, c.fars))
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// kinds says what the records hold.
func (p *script) kinds() string {
	var all []string
	for _, f := range slices.Sorted(maps.Keys(p.forms)) {
		all = append(all, fmt.Sprintf("%d %s", p.forms[f], f))
	}
	return strings.Join(all, ", ")
}

// share prints a proportion with its 95 % Wilson score interval (E. B. Wilson,
// JASA 1927).
func share(n, of int) string {
	if of == 0 {
		return "none asked"
	}
	const z = 1.959964
	p, m := float64(n)/float64(of), float64(of)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return fmt.Sprintf("%4.1f %%  (%d of %d; 95 %% interval %.0f-%.0f %%)", 100*p, n, of, 100*max(0, mid-half), 100*min(1, mid+half))
}
