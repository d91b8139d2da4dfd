package main

import (
	"os"
	"strings"
	"testing"

	"heed/configs"
)

// What the documented configuration says reaches the gateway.
func TestGatewayOptions(t *testing.T) {
	b, err := os.ReadFile("../../configs/heed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := configs.Parse(b, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	c.Gateway.TokenKey = configs.Secret(strings.Repeat("k", 32))
	o, err := gatewayOptions(c)
	if err != nil {
		t.Fatal(err)
	}
	if tl := o.Telemetry; tl.Endpoint != "http://127.0.0.1:4318" || tl.Service != "heed" || string(tl.Headers["X-Collector-Key"]) != "an-example-secret-4" {
		t.Errorf("got telemetry %+v", tl)
	}
	if p := o.Prices["gpt-4o-mini"]; p.Input != 0.15 || p.Cached == nil || *p.Cached != 0.075 || p.Output != 0.6 {
		t.Errorf("got price %+v", p)
	}
	if got := o.Apps[0].QueryPath; got != "messages.-1.content.question" {
		t.Errorf("got query path %q", got)
	}
}
