package configs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func testEnv(name string) (string, bool) {
	if name == "TEST_KEY" {
		return "sk-from-env", true
	}
	return "", false
}

func TestParse_Good(t *testing.T) {
	for _, path := range append(files(t, "testdata/good"), "heed.yaml") { // the documented example is a good one
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := Parse(read(t, path), testEnv); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Every file in testdata/bad says in "# want:" lines what its error must hold.
func TestParse_Bad(t *testing.T) {
	for _, path := range files(t, "testdata/bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b := read(t, path)
			_, err := Parse(b, testEnv)
			if err == nil {
				t.Fatal("no error")
			}
			wants := 0
			for line := range strings.Lines(string(b)) {
				if want, ok := strings.CutPrefix(strings.TrimSpace(line), "# want: "); ok {
					wants++
					if !strings.Contains(err.Error(), want) {
						t.Errorf("got error %q, want it to hold %q", err, want)
					}
				}
			}
			if wants == 0 {
				t.Error("the file has no # want: line")
			}
		})
	}
}

func TestParse_DefaultsAndOrder(t *testing.T) {
	c, err := Parse([]byte(`upstreams: {z: {base_url: "http://z/v1"}, a: {base_url: "http://a/v1", api_key: "${TEST_KEY}"}}
models: {m: {targets: [{upstream: z, model: x}]}}
apps: {b: {}, a: {}}`), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.Upstreams.Names(), c.Apps.Names()); got != "[z a] [b a]" {
		t.Errorf("order: got %s, want [z a] [b a]", got)
	}
	if u, _ := c.Upstreams.Lookup("a"); u.APIKey.Reveal() != "sk-from-env" || u.Kind != "openai" {
		t.Errorf("got key %q kind %q", u.APIKey.Reveal(), u.Kind)
	}
	m, _ := c.Models.Lookup("m")
	a, _ := c.Apps.Lookup("a")
	if m.Routing != "propose" || *m.Targets[0].Weight != 1 || *a.Holdout != 0.1 || c.Gateway.Limits.Body.String() != "32MiB" {
		t.Errorf("defaults: routing %q weight %v holdout %v body %v", m.Routing, *m.Targets[0].Weight, *a.Holdout, c.Gateway.Limits.Body)
	}
}

func TestSecret_NeverPrinted(t *testing.T) {
	c, err := Parse(read(t, "heed.yaml"), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%s %v %+v %#v", y, c.Admin, c.Admin, c.Admin)
	for _, secret := range []string{"sk-example", "sk-ant-example", "an-example-secret", "heed-key-1"} {
		if strings.Contains(out, secret) {
			t.Errorf("printed configuration holds %q", secret)
		}
	}
	if !bytes.Contains(y, []byte(redacted)) {
		t.Error("no [redacted] in the printed configuration")
	}
}

// What is printed by `heed check` must itself be a configuration, so that people
// can start from it.
func TestConfig_PrintedFormIsAccepted(t *testing.T) {
	y, err := yaml.Marshal(Default())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(y, testEnv); err != nil {
		t.Fatalf("%v\n%s", err, y)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in %s (%v)", dir, err)
	}
	return paths
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
