package admin

import (
	"io"
	"strings"
	"testing"
)

// An owner gets profiles, nobody else does, and none shows the command line.
func TestProfiles(t *testing.T) {
	b := start(t, nil)
	for _, c := range []struct {
		role   Role
		name   string
		status int
		begins string
	}{
		{Owner, "heap?gc=1&debug=1", 200, "heap profile: "},
		{Owner, "goroutine?debug=1", 200, "goroutine profile: "},
		{Owner, "cmdline", 404, ""},
		{Approver, "heap", 403, ""},
	} {
		r, err := b.browser(c.role).Get(b.srv.URL + "/debug/pprof/" + c.name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil || r.StatusCode != c.status || !strings.HasPrefix(string(body), c.begins) {
			t.Errorf("%s as %s: %d %.60q %v, want %d %q", c.name, c.role, r.StatusCode, body, err, c.status, c.begins)
		}
	}
}
