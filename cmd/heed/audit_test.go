package main

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"heed/internal/simulate"
)

// heed audit verify names the first record that was changed behind Heed's back
// (issue 4).
func TestAuditVerify_NamesTheFirstBadRecord(t *testing.T) {
	_, upstream := model(t, simulate.Options{})
	conf := config(t, t.TempDir(), upstream, "")
	p := start(t, conf)
	for _, action := range []string{"Be brief.", "Be kind.", "Be exact."} {
		in := map[string]any{"app": "shop", "action": action, "applies_when": "someone asks", "examples": []string{"Where is my parcel?"}}
		if err := p.api().call(t.Context(), http.MethodPost, "rules", appQuery("shop"), in, nil); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := p.command("audit", "verify", "--app", "shop"); code != 0 || !strings.Contains(out, "holds") {
		t.Fatalf("exit code %d, %s", code, out)
	}
	p.terminate()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "data", "heed.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.Exec(`UPDATE audit SET doc = CAST(replace(CAST(doc AS TEXT), '"admin"', '"mallory"') AS BLOB) WHERE app = 'shop' AND number = 2`)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("changed %d entries, %v", n, err)
	}
	p = start(t, conf)
	if code, out := p.command("audit", "verify", "--app", "shop"); code != 1 || !strings.Contains(out, "audit entry 2 ") {
		t.Errorf("exit code %d, %s", code, out)
	}
}
