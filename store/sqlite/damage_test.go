package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heed/rules"
	"heed/store"
)

// wants checks an error and that its text names what it should.
func wants(t testing.TB, err, want error, names ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("error %q does not name %q", err, name)
		}
	}
}

// alter runs SQL on a file of a closed store.
func alter(t testing.TB, dir, file string, q string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(q, args...); err != nil {
		t.Fatal(err)
	}
}

// filled makes a store with something of everything and closes it.
func filled(t testing.TB) (dir string, xs []*store.Exchange, f *store.Feedback) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir, Options{})
	xs = s.write(t, "shop", 200, time.Now(), 64)
	f, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", ExchangeID: xs[0].ID, Comment: "please be brief"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		a := store.Audit{App: "shop", Time: time.Now(), Actor: "ann", Action: "edit", Target: fmt.Sprint("t", i)}
		if err := s.AddAudit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Publish(t.Context(), "shop", 0, &rules.Set{App: "shop"}, store.Audit{Actor: "ann", Action: "publish"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, xs, f
}

func TestOpen_Locked(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	_, err := Open(t.Context(), dir, Options{})
	wants(t, err, store.ErrLocked, dir, fmt.Sprint(os.Getpid()))
}

func TestOpen_Newer(t *testing.T) {
	for file, sc := range map[string]schema{mainFile: mainSchema, logFile: logSchema} {
		dir, _, _ := filled(t)
		alter(t, dir, file, `PRAGMA user_version = 99`)
		_, err := Open(t.Context(), dir, Options{})
		wants(t, err, store.ErrUnknown, file, "99")
		alter(t, dir, file, fmt.Sprint(`PRAGMA user_version = `, len(sc.steps)))
		open(t, dir, Options{}) // it was left as it was
	}
}

func TestOpen_OtherProgram(t *testing.T) {
	dir := t.TempDir()
	alter(t, dir, mainFile, `CREATE TABLE theirs(x)`)
	_, err := Open(t.Context(), dir, Options{})
	wants(t, err, store.ErrCorrupt, mainFile)
}

// What is written to a file that was removed or replaced is found by nobody:
// nothing is acknowledged any more.
func TestStore_FileGone(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"folder removed": os.RemoveAll,
		"folder moved":   func(dir string) error { return os.Rename(dir, dir+".moved") },
		"files replaced": func(dir string) error {
			for _, f := range []string{mainFile, logFile} {
				if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o600); err != nil {
					return err
				}
				if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, f)); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			s := open(t, dir, Options{})
			xs := s.write(t, "shop", 1, time.Now(), 1)
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, _, err := s.AddFeedback(t.Context(), &store.Feedback{App: "shop", Comment: "please be brief"})
			if err == nil || !strings.Contains(err.Error(), mainFile+" was removed or replaced") {
				t.Errorf("feedback: %v", err)
			}
			x := *xs[0]
			x.ID = store.NewID()
			err = s.WriteExchanges(t.Context(), []*store.Exchange{&x})
			if err == nil || !strings.Contains(err.Error(), logFile+" was removed or replaced") {
				t.Errorf("exchange: %v", err)
			}
		})
	}
}

func TestOpen_Damaged(t *testing.T) {
	for name, spoil := range map[string]func(b []byte) []byte{
		"text":     func([]byte) []byte { return []byte(strings.Repeat("not a database ", 400)) },
		"header":   func(b []byte) []byte { copy(b, "SQLite format 9"); return b },
		"half":     func(b []byte) []byte { return b[:len(b)/2] },
		"one page": func(b []byte) []byte { return b[:4096] },
		"zeros":    func(b []byte) []byte { clear(b[4096 : len(b)-4096]); return b },
		"empty":    func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, _ := filled(t)
			path := filepath.Join(dir, mainFile)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b = spoil(b)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), dir, Options{})
			wants(t, err, store.ErrCorrupt, mainFile)
			if after, err := os.ReadFile(path); err != nil || string(after) != string(b) {
				t.Errorf("the damaged file was changed (%v)", err)
			}
		})
	}
}

// TestOpen_Path uses a folder whose name has a meaning in a URL.
func TestOpen_Path(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b#c?d=%41&é")
	s := open(t, dir, Options{})
	if err := s.Health(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		info, err := n.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v (%v), want it closed to others", n.Name(), info.Mode(), err)
		}
	}
	if len(names) != 7 { // two files with two journals each, and the lock
		t.Errorf("the folder has %v", names)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "b#?%41")); err != nil {
		t.Error(err)
	}
}

// TestSchema_Migrate brings a file of an older version forward, all steps or none.
func TestSchema_Migrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	old := schema{id: 7, synchronous: "FULL", pageBytes: 4096, secureDelete: "ON", steps: []string{
		`CREATE TABLE meta(k TEXT PRIMARY KEY, v); CREATE TABLE a(x); INSERT INTO a VALUES(1)`,
	}}
	next := func(sc schema, step string) schema {
		sc.steps = append([]string{}, append(sc.steps, step)...)
		return sc
	}
	use := func(sc schema) (version, sum int, err error) {
		d, err := openDatabase(t.Context(), path, sc, Options{}.withDefaults())
		if err != nil {
			return 0, 0, err
		}
		defer d.close()
		err = d.one(t.Context(), []any{&version, &sum}, `SELECT user_version, (SELECT sum(x) FROM a) FROM pragma_user_version`)
		return version, sum, err
	}
	if v, sum, err := use(old); v != 1 || sum != 1 || err != nil {
		t.Fatal(v, sum, err)
	}
	if _, _, err := use(next(old, `INSERT INTO a VALUES(10); CREATE TABLE broken(`)); err == nil {
		t.Fatal("a broken step passed")
	}
	if v, sum, err := use(old); v != 1 || sum != 1 || err != nil {
		t.Fatalf("after a broken step: version %d, sum %d, %v", v, sum, err)
	}
	two := next(old, `INSERT INTO a VALUES(10)`)
	three := next(two, `UPDATE a SET x = x * 2`)
	for range 2 {
		if v, sum, err := use(three); v != 3 || sum != 22 || err != nil {
			t.Fatalf("version %d, sum %d, %v", v, sum, err)
		}
	}
	_, _, err := use(two)
	wants(t, err, store.ErrUnknown, "x.db")
}

func TestOpen_Missing(t *testing.T) {
	dir, _, _ := filled(t)
	if err := os.Remove(filepath.Join(dir, mainFile)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir, Options{})
	wants(t, err, store.ErrCorrupt, mainFile, logFile)
}

// TestOpen_LogLost empties and takes away the log of exchanges: it is refused, or
// begun anew with a gap, never silently empty.
func TestOpen_LogLost(t *testing.T) {
	dir, _, f := filled(t)
	path := filepath.Join(dir, logFile)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir, Options{})
	wants(t, err, store.ErrCorrupt, logFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once is counted once
		s := open(t, dir, Options{})
		if n, err := s.Gaps(t.Context(), "shop"); n != 1 || err != nil {
			t.Errorf("a gap of %d (%v), want 1", n, err)
		}
		if _, err := s.FeedbackByID(t.Context(), "shop", f.ID); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStore_Damage flips bytes of the files at random places: what is read then
// is what was written, or an error; never something else.
func TestStore_Damage(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	noticed := 0
	good, xs, f := filled(t)
	for i := range 60 {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		file := []string{mainFile, logFile}[i%2]
		path := filepath.Join(dir, file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(20) {
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), dir, Options{})
		if err == nil {
			err = sound(t.Context(), s, xs, f)
			s.Close()
		}
		if err == nil {
			continue
		}
		if noticed++; !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrUnknown) {
			t.Errorf("seed %d, round %d, %s: %v", seed, i, file, err)
		}
	}
	if noticed < 5 {
		t.Errorf("only %d of 60 damages were noticed: the test proves nothing", noticed)
	}
}

// sound reads what filled wrote; it returns what the store complains about, and a
// plain error when it gives back something else.
func sound(ctx context.Context, s *Store, xs []*store.Exchange, f *store.Feedback) error {
	listed, _, err := s.Exchanges(ctx, store.ExchangeFilter{App: "shop", Limit: store.MaxPage, Bodies: true})
	if err != nil {
		return err
	}
	if len(listed) != len(xs) {
		return fmt.Errorf("%w: the list has %d exchanges of %d", store.ErrNotFound, len(listed), len(xs))
	}
	for i, x := range xs {
		got := listed[len(xs)-1-i]
		if i%40 == 0 {
			if got, err = s.Exchange(ctx, "shop", x.ID); err != nil {
				return err
			}
		}
		if got.ID != x.ID || string(got.Request) != string(x.Request) || string(got.Response) != string(x.Response) || got.Query != x.Query {
			return fmt.Errorf("exchange %s reads differently", x.ID)
		}
	}
	got, err := s.FeedbackByID(ctx, "shop", f.ID)
	if err != nil {
		return err
	}
	if got.Comment != f.Comment || !got.Time.Equal(f.Time) {
		return fmt.Errorf("feedback reads differently: %+v", got)
	}
	_, set, err := store.Current(ctx, s, "shop")
	if err != nil {
		return err
	}
	if len(set.Rules) != 0 {
		return fmt.Errorf("set reads differently: %+v", set)
	}
	return nil
}

func TestStore_VerifyAudit_Tampered(t *testing.T) {
	for name, c := range map[string]struct {
		q     string
		first int64
	}{
		"edited":        {`UPDATE audit SET doc = replace(CAST(doc AS TEXT), '"ann"', '"eve"') WHERE number = 5`, 5},
		"column edited": {`UPDATE audit SET target = 'x' WHERE number = 5`, 5},
		"hash edited":   {`UPDATE audit SET hash = 'x' WHERE number = 5`, 5},
		"deleted":       {`DELETE FROM audit WHERE number = 5`, 5},
		"first deleted": {`DELETE FROM audit WHERE number = 1`, 1},
		"end cut off":   {`DELETE FROM audit WHERE number > 10`, 11},
		"all deleted":   {`DELETE FROM audit`, 1},
		"exchanged":     {`UPDATE audit SET number = CASE number WHEN 5 THEN -6 WHEN 6 THEN -5 END WHERE number IN (5, 6); UPDATE audit SET number = -number WHERE number < 0`, 5},
		"head moved":    {`DELETE FROM audit WHERE number > 10; UPDATE audit_head SET number = 10`, 11},
		"other app's":   {`UPDATE audit SET doc = replace(CAST(doc AS TEXT), '"shop"', '"spot"') WHERE number = 3`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, _ := filled(t)
			alter(t, dir, mainFile, c.q)
			s := open(t, dir, Options{})
			first, err := s.VerifyAudit(t.Context(), "shop")
			if err != nil || first != c.first {
				t.Errorf("got entry %d (%v), want %d", first, err, c.first)
			}
		})
	}
}

// TestStore_Set_Corrupt changes a stored set so that its checksum fits again: the
// hash still tells.
func TestStore_Set_Corrupt(t *testing.T) {
	dir, _, _ := filled(t)
	forged := (&rules.Set{App: "shop", Stats: "forged"}).JSON()
	alter(t, dir, mainFile, `UPDATE rule_set SET doc = ?`, sealBytes(forged))
	s := open(t, dir, Options{})
	_, _, err := store.Current(t.Context(), s, "shop")
	wants(t, err, store.ErrCorrupt, mainFile)
}

// TestStore_Durability holds the settings that the 201 rests on: kill -9 does not
// show whether the disk was waited for.
func TestStore_Durability(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for _, c := range []struct {
		d    *database
		sync int
	}{{s.main, 2}, {s.log, 1}} {
		err := c.d.change(t.Context(), quiet, func(ctx context.Context, w *writer) error {
			var sync int
			var mode string
			if err := w.one(ctx, []any{&sync}, `PRAGMA synchronous`); err != nil {
				return err
			}
			if err := w.one(ctx, []any{&mode}, `PRAGMA journal_mode`); err != nil {
				return err
			}
			if sync != c.sync || mode != "wal" {
				t.Errorf("%s: synchronous %d, journal %s; want %d, wal", c.d.path, sync, mode, c.sync)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestStore_Wait_OtherProcess changes the sequence number as another process
// would.
func TestStore_Wait_OtherProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	done := make(chan error, 1)
	go func() { _, err := s.Wait(t.Context(), 0); done <- err }()
	started := time.Now()
	alter(t, dir, mainFile, `UPDATE meta SET v = v + 1 WHERE k = 'seq'`)
	if err := <-done; err != nil || time.Since(started) > time.Second {
		t.Errorf("woke after %v: %v", time.Since(started), err)
	}
}
