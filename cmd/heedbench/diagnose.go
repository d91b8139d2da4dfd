package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"heed/learner"
)

// diagnoseCommand prints what the learner's diagnosis says of cases that a person
// labelled (issue 6): which complaints become rules, and which findings.
type diagnoseCommand struct {
	Cases string `default:"learner/testdata/diagnose.jsonl" type:"existingfile" help:"Labelled cases, one JSON object a line."`
	Least int    `default:"90" help:"Per cent that must be diagnosed as labelled; below, the command fails."`
}

// Run diagnoses the cases, prints the wrong ones and the confusion matrix.
func (c *diagnoseCommand) Run(out io.Writer) error {
	file, err := os.Open(c.Cases)
	if err != nil {
		return fmt.Errorf("diagnose: %w", err)
	}
	defer file.Close()
	cases, err := learner.ReadLabelled(file)
	if err != nil {
		return fmt.Errorf("diagnose: %w", err)
	}
	if len(cases) == 0 {
		return errors.New("diagnose: no cases")
	}
	for i := range cases {
		if got := learner.Diagnose(cases[i].Case()); got.Kind != cases[i].Want {
			fmt.Fprintf(out, "case %d, %q: %s, want %s (%s)\n", i+1, cases[i].Comment, got.Kind, cases[i].Want, got.Reason)
		}
	}
	m := learner.Confuse(cases)
	right, of := m.Right()
	fmt.Fprintf(out, "%s\n%d of %d as labelled (%.1f %%)\n", m, right, of, 100*float64(right)/float64(of))
	if 100*right < c.Least*of {
		return fmt.Errorf("diagnose: fewer than %d %% as labelled", c.Least)
	}
	return nil
}
