// Heed is a reverse proxy between agents and model endpoints that learns from
// what people say about the answers. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"heed/configs"
	"heed/store"
)

// cli is the command line. Commands about a running Heed call its admin API.
type cli struct {
	Config string `help:"Configuration file; without one the defaults of heed serve." type:"path" placeholder:"FILE" env:"HEED_CONFIG"`

	Demo     demoCmd     `cmd:"" help:"Play the whole loop against a simulated model: chat, complain, approve, see the answer change."`
	Serve    serveCmd    `cmd:"" help:"Run gateway, learner and admin in one process."`
	Gateway  gatewayCmd  `cmd:"" help:"Run the gateway alone (shared Redis)."`
	Learner  learnerCmd  `cmd:"" help:"Run the learner alone (shared Redis)."`
	Admin    adminCmd    `cmd:"" help:"Run admin alone (shared Redis)."`
	Simulate simulateCmd `cmd:"" help:"Run the simulated model endpoint alone."`
	Check    checkCmd    `cmd:"" help:"Validate the configuration and print it, without its secrets."`
	Health   healthCmd   `cmd:"" help:"Ask a running gateway whether it is ready; exits 1 if not."`
	Rules    rulesCmd    `cmd:"" help:"Rules and proposals of a running Heed."`
	Why      whyCmd      `cmd:"" help:"Say what Heed did with one exchange, and who wanted it so."`
	Effect   effectCmd   `cmd:"" help:"Say what a rule did so far: with it against without, with intervals."`
	Replay   replayCmd   `cmd:"" help:"What a proposal or rule set would decide otherwise on logged traffic; without one, take the logged decisions again and compare."`
	Import   importCmd   `cmd:"" help:"Read exchanges and feedback from JSON lines into the store (Heed must not be running on it)."`
	Export   exportCmd   `cmd:"" help:"Write exchanges and feedback as JSON lines."`
	Audit    auditCmd    `cmd:"" help:"The audit trail of a running Heed."`
	Backup   backupCmd   `cmd:"" help:"Copy the store of a running Heed into a new folder."`
	Restore  restoreCmd  `cmd:"" help:"Bring a backup back into an empty store (Heed must not be running on it)."`
	Erase    eraseCmd    `cmd:"" help:"Delete everything of one person: exchanges, feedback, and what rules learned from it."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// env is what commands get besides their own flags.
type env struct {
	ctx    context.Context
	out    io.Writer
	errs   io.Writer
	config string

	// learnFrom, if set, wraps the store that the learner works on. Only tests set
	// it, to end the process at chosen calls.
	learnFrom func(store.Store) store.Store
}

// load reads the configuration that --config names, or the defaults.
func (e *env) load() (*configs.Config, error) {
	if e.config == "" {
		return configs.Default(), nil
	}
	return configs.Load(e.config)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program with its edges passed in. It returns the exit code: 0, 1
// for a failure, 2 for a command line that makes no sense.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	return runIn(&env{ctx: ctx, out: out, errs: errs}, args)
}

// runIn is run with everything that a command gets.
func runIn(e *env, args []string) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("heed"),
		kong.Description("Makes the agents behind it heed what people tell them."),
		kong.Writers(e.out, e.errs),
		kong.Exit(func(code int) { exit = code }),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(e.errs, "heed:", err)
		return 1
	}
	k, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(e.errs, "heed: %v\nSee heed --help.\n", err)
		return 2
	}
	e.config = c.Config
	err = k.Run(e)
	if err == nil || errors.Is(err, context.Canceled) && e.ctx.Err() != nil {
		return 0
	}
	fmt.Fprintln(e.errs, "heed:", err)
	return 1
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(e *env) error {
	_, err := fmt.Fprintln(e.out, "heed", version())
	return err
}

// version is the module's version and, for a build from a checkout, its commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "(devel)" || v == "") {
			v = "devel " + s.Value
		}
	}
	return v
}
