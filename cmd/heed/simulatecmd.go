package main

import (
	"fmt"

	"heed/internal/simulate"
)

// simulateCmd is `heed simulate`.
type simulateCmd struct {
	Listen string `help:"Address." default:"127.0.0.1:9900"`
	Seed   uint64 `help:"Seed of everything that is drawn." default:"1"`
}

// Run serves the simulated model until the process is told to stop.
func (cmd simulateCmd) Run(e *env) error {
	url, stop, err := simulate.Listen(cmd.Listen, simulate.NewModel(simulate.Options{Seed: cmd.Seed}))
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(e.out, "a simulated model (not a language model) at %s\n", url)
	<-e.ctx.Done()
	return nil
}
