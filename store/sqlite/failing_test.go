package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"heed/store"
	"heed/store/storetest"
)

var errInjected = errors.New("injected I/O error")

// faults makes the k-th call of the writer to its database fail, either before
// it happens or, as when a reply is lost, after.
type faults struct {
	calls, failAt int
	after         bool
	driver        driver.Driver
	dsn           string
}

func (f *faults) Driver() driver.Driver { return f.driver }

func (f *faults) Connect(context.Context) (driver.Conn, error) {
	c, err := f.driver.Open(f.dsn)
	return failingConn{c, f}, err
}

func (f *faults) call(do func() error) error {
	f.calls++
	fail := f.calls == f.failAt
	if fail && !f.after {
		return errInjected
	}
	if err := do(); err != nil || !fail {
		return err
	}
	return errInjected
}

type failingConn struct {
	driver.Conn
	f *faults
}

func (c failingConn) Prepare(q string) (st driver.Stmt, err error) {
	st, err = c.Conn.Prepare(q)
	return failingStmt{st, c.f}, err
}

type failingStmt struct {
	driver.Stmt
	f *faults
}

func (s failingStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.f.call(func() (err error) {
		res, err = s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	return res, err
}

func (s failingStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = s.f.call(func() (err error) {
		rows, err = s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
		if err == nil && s.f.calls == s.f.failAt {
			rows.Close() // the caller will not
		}
		return err
	})
	return rows, err
}

// inject puts the faults between the writer of heed.db, which is idle, and its file.
func inject(t *testing.T, s *Store, f *faults) *sql.DB {
	t.Helper()
	f.driver = s.main.write.Driver()
	f.dsn = "file:" + s.main.path + "?_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)"
	db := sql.OpenDB(f)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.main.w.close(); err != nil {
		t.Fatal(err)
	}
	s.main.w.conn, s.main.w.stmts = conn, map[string]*sql.Stmt{}
	return db
}

// TestStore_FailingCalls plays feedback, a refused retry and a learner's commit
// with an error at every call of the writer in turn. What was acknowledged is
// there after a restart, a commit is there whole or not at all, and the store
// works on after the error.
func TestStore_FailingCalls(t *testing.T) {
	for _, after := range []bool{false, true} {
		n := 1
		for ; playFailing(t, n, after); n++ {
		}
		if n < 20 {
			t.Errorf("after=%v: %d calls of the writer, want at least 20", after, n-1)
		}
	}
}

// playFailing reports whether the k-th call was reached.
func playFailing(t *testing.T, k int, after bool) bool {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.AddFeedback(ctx, &store.Feedback{ID: "f0", App: "shop", Comment: "first"}); err != nil {
		t.Fatal(err)
	}
	f := &faults{failAt: k, after: after}
	db := inject(t, s, f)
	failed := 0
	try := func(err error) bool {
		if errors.Is(err, errInjected) {
			failed++
		}
		return err == nil
	}
	acked := map[string]bool{"f0": true}
	for i := 1; i <= 2; i++ {
		id := fmt.Sprintf("f%d", i)
		_, _, err := s.AddFeedback(ctx, &store.Feedback{ID: id, App: "shop", Key: id, Digest: "d", Comment: "more"})
		acked[id] = try(err)
	}
	_, _, err = s.AddFeedback(ctx, &store.Feedback{App: "shop", Key: "f1", Digest: "other"})
	if try(err) && acked["f1"] {
		t.Errorf("call %d: a used key was taken again", k)
	}
	done := try(s.Commit(ctx, store.Changes{App: "shop", Handled: []store.Handled{{Feedback: "f0", Note: "done"}},
		Findings: []*store.Finding{{ID: "d1", App: "shop", Version: 1, State: "open"}, {ID: "d2", App: "shop", Version: 1, State: "open"}}}))
	if f.calls >= k && failed > 1 {
		t.Errorf("call %d (after %v): %d changes failed of one error", k, after, failed)
	}
	reached := f.calls >= k
	if _, _, err := s.AddFeedback(ctx, &store.Feedback{ID: "last", App: "shop"}); reached && err != nil {
		t.Errorf("call %d (after %v): the store does not recover: %v", k, after, err)
	}
	if err := errors.Join(s.Close(), db.Close()); err != nil {
		t.Errorf("call %d: close: %v", k, err)
	}
	checkFailing(t, dir, fmt.Sprintf("call %d (after %v)", k, after), acked, done)
	return reached
}

func checkFailing(t *testing.T, dir, where string, acked map[string]bool, done bool) {
	t.Helper()
	ctx := t.Context()
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for id, ok := range acked {
		if _, err := s.FeedbackByID(ctx, "shop", id); ok && err != nil {
			t.Errorf("%s: acknowledged %s: %v", where, id, err)
		}
	}
	var there []bool
	for _, id := range []string{"d1", "d2"} {
		_, err := s.Finding(ctx, "shop", id)
		there = append(there, err == nil)
	}
	pending := storetest.Pending(t, s, "shop", 10)
	handled := true
	for _, p := range pending {
		handled = handled && p.ID != "f0"
	}
	if there[0] != there[1] || there[0] != handled || done && !handled {
		t.Errorf("%s: commit acknowledged %v, findings %v, feedback handled %v, want all alike", where, done, there, handled)
	}
}
