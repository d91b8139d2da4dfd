package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"heed/configs"
	"heed/gateway"
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
	if got, want := o.Upstreams[0].Timeouts, (gateway.Timeouts{
		Connect: 3 * time.Second, TLS: 5 * time.Second, Write: 30 * time.Second,
		FirstByte: 10 * time.Minute, Idle: 2 * time.Minute, Total: time.Hour,
	}); got != want || o.Upstreams[0].Breaker != (gateway.Breaker{Failures: 5, Pause: 5 * time.Second}) {
		t.Errorf("got timeouts %+v, want %+v; breaker %+v", got, want, o.Upstreams[0].Breaker)
	}
	if l := o.Limits; l.Head != 30*time.Second || l.Send != 30*time.Second || l.InFlight != 10_000 {
		t.Errorf("got limits %+v", l)
	}
	if got := o.Apps[0].QueryPath; got != "messages.-1.content.question" {
		t.Errorf("got query path %q", got)
	}
}

// Where people reach admin by https, browsers are told to stay there.
func TestServe_AdminByHTTPS(t *testing.T) {
	for _, https := range []bool{false, true} {
		conf := config(t, t.TempDir(), "http://127.0.0.1:9", "")
		b, err := os.ReadFile(conf)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(b), "admin: {", fmt.Sprintf("admin: {https: %v, ", https), 1)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get(start(t, conf).admin + "/login")
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if got := resp.Header.Get("Strict-Transport-Security") != ""; got != https {
			t.Errorf("https %v: Strict-Transport-Security %v", https, got)
		}
	}
}
