package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heed/store"
	"heed/store/storetest"
)

// asked notes the statements that go to a database.
type asked struct {
	to  driver.Driver
	dsn string
	qs  []string
}

func (a *asked) Driver() driver.Driver { return a.to }

func (a *asked) Connect(context.Context) (driver.Conn, error) {
	c, err := a.to.Open(a.dsn)
	return askedConn{c, a}, err
}

type askedConn struct {
	driver.Conn
	a *asked
}

func (c askedConn) Prepare(q string) (driver.Stmt, error) {
	c.a.qs = append(c.a.qs, q)
	return c.Conn.Prepare(q)
}

// TestStore_FiltersHaveIndexes asks SQLite how it finds what each filter of the
// admin API selects: by the index that is there for it, never by reading a table.
func TestStore_FiltersHaveIndexes(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	ctx := t.Context()
	feedback := func(f store.FeedbackFilter) func() error {
		f.App = "shop"
		return func() error { _, _, err := s.Feedback(ctx, f); return err }
	}
	proposals := func(f store.ProposalFilter) func() error {
		f.App = "shop"
		return func() error { _, _, err := s.Proposals(ctx, f); return err }
	}
	findings := func(f store.FindingFilter) func() error {
		f.App = "shop"
		return func() error { _, _, err := s.Findings(ctx, f); return err }
	}
	audits := func(f store.AuditFilter) func() error {
		f.App = "shop"
		return func() error { _, _, err := s.Audits(ctx, f); return err }
	}
	a := &asked{to: s.main.reads.Driver(), dsn: "file:" + s.main.path + "?_pragma=query_only(1)"}
	old := s.main.reads
	s.main.reads = sql.OpenDB(a)
	defer func() {
		if err := errors.Join(s.main.reads.Close(), s.Close(), old.Close()); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		name  string
		call  func() error
		index string
	}{
		{"feedback", feedback(store.FeedbackFilter{}), "feedback_at"},
		{"feedback since", feedback(store.FeedbackFilter{Since: time.Now()}), "feedback_at"},
		{"feedback of exchange", feedback(store.FeedbackFilter{Exchange: "x"}), "feedback_exchange"},
		{"feedback of session", feedback(store.FeedbackFilter{Session: "x"}), "feedback_session"},
		{"feedback of user", feedback(store.FeedbackFilter{User: "x"}), "feedback_user"},
		{"bad feedback", feedback(store.FeedbackFilter{Bad: true}), "feedback_bad"},
		{"feedback put aside", feedback(store.FeedbackFilter{Aside: true}), "feedback_aside"},
		{"feedback that says", feedback(store.FeedbackFilter{Text: "brief"}), "sqlite_autoindex_word_1|PRIMARY KEY"},
		{"proposals", proposals(store.ProposalFilter{}), "proposal_changed"},
		{"proposals in state", proposals(store.ProposalFilter{State: store.Open}), "proposal_state"},
		{"proposals of rule", proposals(store.ProposalFilter{Rule: "r"}), "proposal_changed"}, // of the app's, which are few
		{"findings", findings(store.FindingFilter{}), "finding_changed"},
		{"findings in state", findings(store.FindingFilter{State: "open"}), "finding_state"},
		{"audit", audits(store.AuditFilter{}), "PRIMARY KEY"},
		{"audit of target", audits(store.AuditFilter{Target: "x"}), "audit_target"},
		{"audit of action", audits(store.AuditFilter{Action: "x"}), "audit_action"},
	} {
		a.qs = nil
		if err := c.call(); err != nil || len(a.qs) == 0 {
			t.Fatalf("%s: %v, %d statements", c.name, err, len(a.qs))
		}
		plan := planOf(t, old, a.qs[len(a.qs)-1])
		uses := false
		for _, index := range strings.Split(c.index, "|") {
			uses = uses || strings.Contains(plan, index)
		}
		if !uses || strings.Contains(plan, "SCAN") {
			t.Errorf("%s: want %s, SQLite means to:\n%s", c.name, c.index, plan)
		}
	}
}

// planOf is what SQLite would do for the statement, line by line.
func planOf(t *testing.T, db *sql.DB, q string) string {
	t.Helper()
	args := make([]any, strings.Count(q, "?"))
	for i := range args {
		args[i] = "x"
	}
	rows, err := db.Query("EXPLAIN QUERY PLAN "+q, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// TestOpen_OlderSchema opens a store as each earlier version of the schema left
// it: everything is there, and the file is brought forward.
func TestOpen_OlderSchema(t *testing.T) {
	for version := 1; version < len(mainSchema.steps); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			dir, xs, f := filled(t)
			older(t, dir, version)
			s := open(t, dir, Options{})
			if err := sound(t.Context(), s.Store, xs, f); err != nil {
				t.Error(err)
			}
			var now int
			if err := s.main.one(t.Context(), []any{&now}, `PRAGMA user_version`); err != nil || now != len(mainSchema.steps) {
				t.Errorf("version %d (%v), want %d", now, err, len(mainSchema.steps))
			}
			ps := storetest.Pending(t, s, "shop", 10)
			if len(ps) != 1 || ps[0].ID != f.ID || ps[0].Tries != 0 || ps[0].Given {
				t.Errorf("pending %+v, want the record, never tried", ps)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			open(t, dir, Options{}) // and passes for what the newest version makes
		})
	}
}

// older writes heed.db anew as that version of the schema has it.
func older(t *testing.T, dir string, version int) {
	t.Helper()
	path := filepath.Join(dir, mainFile)
	if err := os.Rename(path, path+".new"); err != nil {
		t.Fatal(err)
	}
	old := mainSchema
	old.steps = old.steps[:version]
	d, err := openDatabase(t.Context(), path, old, Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	names, err := column[string](t.Context(), d, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence'`)
	if err != nil {
		t.Fatal(err)
	}
	copyAll := `ATTACH '` + path + `.new' AS new;`
	for _, name := range names {
		columns, err := column[string](t.Context(), d, `SELECT name FROM pragma_table_info(?)`, name)
		if err != nil {
			t.Fatal(err)
		}
		columns = slices.DeleteFunc(columns, func(c string) bool { return name == "feedback" && (c == "worker" || c == "claimed") }) // gone since
		list := strings.Join(columns, ", ")
		copyAll += fmt.Sprintf(`INSERT OR REPLACE INTO main.%[1]s(%[2]s) SELECT %[2]s FROM new.%[1]s;`, name, list)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	alter(t, dir, mainFile, copyAll)
	if err := os.Remove(path + ".new"); err != nil {
		t.Fatal(err)
	}
}
