package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

type checkCmd struct{}

// Run validates the configuration and prints it as Heed understands it.
func (checkCmd) Run(e *env) error {
	c, err := e.load()
	if err != nil {
		return err
	}
	text, err := c.Print()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(e.out, text)
	return err
}

type healthCmd struct {
	URL string `help:"The gateway; default: gateway.listen of the configuration." placeholder:"URL"`
}

// healthTimeout is short: a container's health check must not hang.
const healthTimeout = 3 * time.Second

// Run asks the gateway's /heed/readyz.
func (cmd healthCmd) Run(e *env) error {
	base := cmd.URL
	if base == "" {
		c, err := e.load()
		if err != nil {
			return err
		}
		base = "http://" + reachable(c.Gateway.Listen)
	}
	client := &http.Client{Timeout: healthTimeout}
	resp, err := client.Get(strings.TrimSuffix(base, "/") + "/heed/readyz")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: status %d %s", resp.StatusCode, strings.TrimSpace(string(b)))
	}
	_, err = fmt.Fprintln(e.out, "ready")
	return err
}
