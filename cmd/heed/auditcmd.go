package main

import (
	"fmt"
	"net/http"
)

// auditCmd is `heed audit …`.
type auditCmd struct {
	App string `help:"The app; default: the only one." placeholder:"NAME"`

	Verify auditVerifyCmd `cmd:"" help:"Walk the audit trail's hash chain; exits 1 and names the first entry that does not fit."`
}

type auditVerifyCmd struct{}

// Run verifies the chain of a running Heed.
func (auditVerifyCmd) Run(e *env, parent *cli) error {
	c, err := newAdminClient(e)
	if err != nil {
		return err
	}
	var out struct {
		OK       bool  `json:"ok"`
		FirstBad int64 `json:"first_bad"`
	}
	if err := c.call(e.ctx, http.MethodGet, "audit/verify", appQuery(parent.Audit.App), nil, &out); err != nil {
		return err
	}
	if !out.OK {
		return fmt.Errorf("audit entry %d does not fit the chain: it, or what was around it, was changed outside Heed", out.FirstBad)
	}
	_, err = fmt.Fprintln(e.out, "the audit trail holds")
	return err
}
