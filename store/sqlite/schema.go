package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"heed/store"
)

// schema is how one file is laid out: steps[i] brings version i to i+1 and is
// never changed once released.
type schema struct {
	id           int32  // PRAGMA application_id
	synchronous  string // FULL syncs every commit
	pageBytes    int64  // PRAGMA page_size of a new file
	secureDelete string // ON overwrites what is deleted
	counts       bool   // commits move the sequence number that Wait follows
	steps        []string
}

// Application ids: "HEEM" and "HEEX". A file that carries another one is no
// store of ours.
var (
	mainSchema = schema{id: 0x4845454d, synchronous: "FULL", pageBytes: 4 << 10, secureDelete: "ON", counts: true, steps: []string{mainV1, mainV2, mainV3, mainV4}}
	logSchema  = schema{id: 0x48454558, synchronous: "NORMAL", pageBytes: 16 << 10, secureDelete: "FAST", steps: []string{logV1, logV2}}
)

// Times are in milliseconds since 1970; a doc is a sealed JSON document (seal).
const mainV1 = `
CREATE TABLE meta(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO meta(k, v) VALUES('seq', 0);
CREATE TABLE app(name TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE feedback(
	n INTEGER PRIMARY KEY AUTOINCREMENT,
	app TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
	key TEXT, digest TEXT NOT NULL,
	exchange TEXT, response TEXT, session TEXT, user TEXT, source TEXT NOT NULL,
	bad INTEGER NOT NULL, rating REAL, doc BLOB NOT NULL,
	retracted INTEGER NOT NULL DEFAULT 0, superseded TEXT,
	link BLOB, linked TEXT, alias TEXT, step TEXT, upstream TEXT, model TEXT,
	due INTEGER, revision INTEGER NOT NULL DEFAULT 0, note TEXT,
	worker TEXT, claimed INTEGER NOT NULL DEFAULT 0, claim INTEGER);
CREATE UNIQUE INDEX feedback_id ON feedback(app, id);
CREATE UNIQUE INDEX feedback_key ON feedback(app, key) WHERE key IS NOT NULL;
CREATE INDEX feedback_at ON feedback(app, at, id);
CREATE INDEX feedback_exchange ON feedback(app, exchange) WHERE exchange IS NOT NULL;
CREATE INDEX feedback_linked ON feedback(app, linked) WHERE linked IS NOT NULL;
CREATE INDEX feedback_response ON feedback(app, response) WHERE response IS NOT NULL;
CREATE INDEX feedback_session ON feedback(app, session) WHERE session IS NOT NULL;
CREATE INDEX feedback_user ON feedback(app, user) WHERE user IS NOT NULL;
CREATE INDEX feedback_due ON feedback(due) WHERE due IS NOT NULL;
CREATE TABLE word(app TEXT, hash INTEGER, n INTEGER, PRIMARY KEY(app, hash, n)) WITHOUT ROWID;
CREATE INDEX word_n ON word(n);

CREATE TABLE proposal(
	app TEXT, id TEXT, version INTEGER NOT NULL, state TEXT NOT NULL, changed INTEGER NOT NULL,
	rules TEXT NOT NULL, doc BLOB NOT NULL, PRIMARY KEY(app, id)) WITHOUT ROWID;
CREATE INDEX proposal_changed ON proposal(app, changed);
CREATE TABLE finding(
	app TEXT, id TEXT, version INTEGER NOT NULL, state TEXT NOT NULL, changed INTEGER NOT NULL,
	doc BLOB NOT NULL, PRIMARY KEY(app, id)) WITHOUT ROWID;
CREATE INDEX finding_changed ON finding(app, changed);

CREATE TABLE rule_set(app TEXT, hash TEXT, doc BLOB NOT NULL, PRIMARY KEY(app, hash)) WITHOUT ROWID;
CREATE TABLE head(
	app TEXT, epoch INTEGER, hash TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
	rules INTEGER NOT NULL, PRIMARY KEY(app, epoch)) WITHOUT ROWID;
CREATE TABLE rule(
	app TEXT, id TEXT, version INTEGER, state TEXT NOT NULL, doc BLOB NOT NULL,
	PRIMARY KEY(app, id, version)) WITHOUT ROWID;
CREATE TABLE stats(app TEXT, hash TEXT, doc BLOB NOT NULL, PRIMARY KEY(app, hash));

CREATE TABLE audit(
	app TEXT, number INTEGER, target TEXT NOT NULL, action TEXT NOT NULL, hash TEXT NOT NULL, doc BLOB NOT NULL,
	PRIMARY KEY(app, number)) WITHOUT ROWID;
CREATE TABLE audit_head(app TEXT PRIMARY KEY, number INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;
`

// An index for every filter that people list by, in the order of the list: without
// that SQLite rather walks all of an app's records than sorts a few.
const mainV2 = `
DROP INDEX feedback_exchange; DROP INDEX feedback_session; DROP INDEX feedback_user;
CREATE INDEX feedback_exchange ON feedback(app, exchange, at, id) WHERE exchange IS NOT NULL;
CREATE INDEX feedback_session ON feedback(app, session, at, id) WHERE session IS NOT NULL;
CREATE INDEX feedback_user ON feedback(app, user, at, id) WHERE user IS NOT NULL;
CREATE INDEX feedback_bad ON feedback(app, at, id) WHERE bad;
CREATE INDEX proposal_state ON proposal(app, state, changed);
CREATE INDEX finding_state ON finding(app, state, changed);
CREATE INDEX audit_target ON audit(app, target, number);
CREATE INDEX audit_action ON audit(app, action, number);
`

// How often a record was tried, and whether the learner gave it up.
const mainV3 = `
ALTER TABLE feedback ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feedback ADD COLUMN aside INTEGER NOT NULL DEFAULT 0;
CREATE INDEX feedback_aside ON feedback(app, at, id) WHERE aside;
`

// One learner works on an app's feedback, so records need not say whose they are.
const mainV4 = `
CREATE TABLE lease(app TEXT PRIMARY KEY, worker TEXT NOT NULL, epoch INTEGER NOT NULL) WITHOUT ROWID;
ALTER TABLE feedback DROP COLUMN worker;
ALTER TABLE feedback DROP COLUMN claimed;
DROP INDEX feedback_due;
CREATE INDEX feedback_due ON feedback(app, at) WHERE due IS NOT NULL;
`

// An exchange lives in a slot of a chunk: a run of one app's exchanges that are
// compressed together. seen and words are filters that tell, without opening it,
// that a chunk cannot hold what is looked for.
const logV1 = `
CREATE TABLE meta(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE app(n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, gap INTEGER NOT NULL DEFAULT 0, run INTEGER NOT NULL DEFAULT 0);
CREATE TABLE chunk(
	n INTEGER PRIMARY KEY AUTOINCREMENT, app INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
	count INTEGER NOT NULL, bytes INTEGER NOT NULL, packed INTEGER NOT NULL, kept INTEGER NOT NULL DEFAULT 0, seen BLOB NOT NULL);
CREATE INDEX chunk_last ON chunk(app, last, n);
CREATE INDEX chunk_due ON chunk(last) WHERE kept = 0;
CREATE INDEX chunk_small ON chunk(app, last) WHERE kept = 0 AND count <= 16;
CREATE TABLE words(chunk INTEGER PRIMARY KEY, filter BLOB NOT NULL);
CREATE TABLE facts(chunk INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE bodies(chunk INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE exchange(app INTEGER, id BLOB, chunk INTEGER NOT NULL, slot INTEGER NOT NULL, PRIMARY KEY(app, id)) WITHOUT ROWID;
`

// Bodies may quote their rows (bodiesQuote). Tables stay as they are, and so do
// chunks that were written before; only an older Heed could not read the new ones.
const logV2 = `-- bodies quote rows`

// migrate brings the file to the newest version, all steps in one transaction.
func (sc schema) migrate(ctx context.Context, db *sql.DB) error {
	var version int
	var id int32
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return err
	}
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return err
	}
	switch {
	case id != sc.id && (tables > 0 || version > 0):
		return fmt.Errorf("%w: it is a database of another program", store.ErrCorrupt)
	case version > len(sc.steps):
		return fmt.Errorf("%w: its schema is version %d, this Heed knows up to %d; run a newer Heed", store.ErrUnknown, version, len(sc.steps))
	case version == len(sc.steps):
		return sc.compare(ctx, db)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, step := range sc.steps[version:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	pragmas := fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, sc.id, len(sc.steps))
	if _, err := tx.ExecContext(ctx, pragmas); err != nil {
		return err
	}
	return tx.Commit()
}

// compare checks that the file's schema reads exactly as its steps make it: one
// that does not was damaged, or changed by hand.
func (sc schema) compare(ctx context.Context, db *sql.DB) error {
	fresh, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	defer fresh.Close()
	fresh.SetMaxOpenConns(1) // each connection would be a database of its own
	for _, step := range sc.steps {
		if _, err := fresh.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	const text = `SELECT coalesce(group_concat(type || name || tbl_name || coalesce(sql, ''), ';' ORDER BY name), '')
		FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'`
	var got, want string
	if err := fresh.QueryRowContext(ctx, text).Scan(&want); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, text).Scan(&got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%w: its tables are not those of schema version %d; restore it from a backup or move it away", store.ErrCorrupt, len(sc.steps))
	}
	return nil
}
