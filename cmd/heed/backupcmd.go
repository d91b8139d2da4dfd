package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

// backupCmd is `heed backup DIR`.
type backupCmd struct {
	Dir string `arg:"" help:"A new or empty folder on the machine where Heed runs."`
}

// Run copies the whole store of a running Heed. heed restore brings it back; that
// of an embedded store is a data folder like any other. The token and the signing
// key beside the original are not in it.
func (cmd backupCmd) Run(e *env) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	c.http.Timeout = 0 // a large log takes its time; Ctrl-C ends it
	dir, err := filepath.Abs(cmd.Dir)
	if err != nil {
		return err
	}
	var out struct {
		Dir     string
		Seconds float64
	}
	if err := c.call(e.ctx, http.MethodPost, "backup", nil, map[string]string{"dir": dir}, &out); err != nil {
		return err
	}
	took := time.Duration(out.Seconds * float64(time.Second)).Round(time.Millisecond)
	_, err = fmt.Fprintf(e.out, "copied to %s in %s\n", out.Dir, took)
	return err
}
