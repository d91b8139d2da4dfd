// Command heedbench measures Heed on public data, with fixed seeds. Each
// subcommand prints a readable table and can write JSON.
//
//	heedbench scope --set data/scope/clinc150 --oos data/scope/background_b.tsv.gz --warm
//
// To add one, add its struct to commands and give it a Run(out io.Writer) error.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// commands are the subcommands, each in its own file.
type commands struct {
	Overhead overheadCommand `cmd:"" help:"What a request costs: an instant upstream alone, behind a bare proxy, behind Heed with everything on."`
	Learning learningCommand `cmd:"" help:"The loop: what unseen answers follow after so many records of feedback."`
	Diagnose diagnoseCommand `cmd:"" help:"What would have prevented a complaint: labelled cases against the diagnosis, as a confusion matrix."`
	Effect   effectCommand   `cmd:"" help:"Does a rule help or harm: simulated rules of known effect, with a look at every exchange."`
	Plot     plotCommand     `cmd:"" help:"Draws what scope, learning and effect wrote with --json, as SVG."`
	Prefix   prefixCommand   `cmd:"" help:"What a prompt cache can still serve: the prefix that requests of a conversation share, for each placement."`
	Scope    scopeCommand    `cmd:"" help:"The right requests and no others: which unseen requests get which rules."`
	Store    storeCommand    `cmd:"" help:"The price of the record: what an exchange costs to log, and how long a list or a search takes."`
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "heedbench:", err)
		os.Exit(1)
	}
}

// run parses args and runs the subcommand they name, which writes to out.
func run(args []string, out io.Writer) error {
	var c commands
	parser, err := kong.New(&c, kong.Name("heedbench"), kong.Description("Benchmarks of Heed."),
		kong.Writers(out, os.Stderr), kong.UsageOnError(), kong.BindTo(out, (*io.Writer)(nil)))
	if err != nil {
		return err
	}
	k, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return k.Run()
}
