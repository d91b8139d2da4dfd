package main

import (
	"fmt"
	"net/http"

	"heed/store"
)

// eraseCmd is `heed erase --user NAME`.
type eraseCmd struct {
	App  string `help:"The app; default: the only one." placeholder:"NAME"`
	User string `required:"" help:"The person, as the app's clients name them in Heed-User." placeholder:"NAME"`
}

// Run erases a person: exchanges, feedback, and what rules learned from it.
func (cmd eraseCmd) Run(e *env) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	c.http.Timeout = 0 // the whole log is read and rewritten
	var out store.Erased
	if err := c.call(e.ctx, http.MethodPost, "erase", appQuery(cmd.App), map[string]string{"user": cmd.User}, &out); err != nil {
		return err
	}
	conf, err := e.load()
	if err != nil {
		return err
	}
	rest := ""
	if conf.Store.Redis != "" {
		rest = "\nRedis' own files hold it until they are written anew: BGREWRITEAOF for the append-only file, BGSAVE for snapshots."
	}
	_, err = fmt.Fprintf(e.out, "erased %s and %s; blanked %s of others; cleaned %s; retired %s\n"+
		"The audit trail still says that this was done, by a hash of the name. Backups made before are yours to delete.%s\n",
		count(out.Exchanges, "exchange"), count(len(out.Feedback), "feedback record"), count(len(out.Touched), "record"),
		count(out.Records, "proposal or finding"), count(len(out.Rules), "rule"), rest)
	return err
}

func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case what == "proposal or finding":
		return fmt.Sprint(n, " proposals and findings")
	}
	return fmt.Sprint(n, " ", what, "s")
}
