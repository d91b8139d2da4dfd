package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"heed/rules"
)

// UserHash names a person without naming them: 32 hex digits of SHA-256 over app
// and the name that the client gave (Heed-User, `user`). The same person has
// another hash in another app. No name gives no hash.
func UserHash(app, user string) string {
	if user == "" {
		return ""
	}
	var buf [512]byte
	b := append(append(append(append(append(buf[:0], "heed-user-v1\n"...), app...), '\n'), user...), '\n')
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Backuper is a store that can copy itself while it is being used.
type Backuper interface {
	// Backup writes a copy of the store into dir, a folder on the machine of the
	// store's process that must not hold one already. On an error nothing of it
	// is left.
	Backup(ctx context.Context, dir string) error
}

// Eraser is a store that can erase a person. The calls go together: Traces, then
// take the rules out of force that rest on them, Forget, EraseUser, and Forget
// once more for what became a rule in between. Each can be repeated after an
// error; the traces are found until EraseUser has deleted them.
type Eraser interface {
	// Traces finds what EraseUser would delete or blank. It changes nothing.
	Traces(ctx context.Context, app, user string) (Erased, error)

	// Forget deletes the rule versions and sets that rest on the records and are
	// no longer in force, and takes their texts out of the audit trail, which
	// says so in an entry made of a. It returns ErrConflict while a rule in force
	// rests on them.
	Forget(ctx context.Context, app string, e Erased, a Audit) error

	// EraseUser deletes what the app's user, by UserHash, said and asked:
	// exchanges, feedback, quotes and samples in proposals and findings. A
	// proposal whose rule rests on it loses its texts, and is closed if it was
	// open; the other people's records behind it, and those in again, become
	// pending, so that the learner derives anew from them. Deleted bytes are
	// overwritten.
	EraseUser(ctx context.Context, app, user string, again []string) (Erased, error)
}

// Erased says what is a person's.
type Erased struct {
	Exchanges int      `json:"exchanges"`       // the user's, deleted
	Feedback  []string `json:"feedback"`        // ids of the user's records, deleted
	Touched   []string `json:"touched"`         // ids of others' records on the user's exchanges: their copies of query and answer are blanked, and they are pending again
	Records   int      `json:"records"`         // proposals and findings that lost texts, quotes or samples
	Rules     []string `json:"rules,omitempty"` // ids of rules that were taken out of force for it
}

// Under reports whether the rule rests on one of the records: it has them among
// its sources, and may hold their words.
func (e *Erased) Under(r *rules.Rule) bool {
	return slices.ContainsFunc(r.Sources, func(id string) bool {
		return slices.Contains(e.Feedback, id) || slices.Contains(e.Touched, id)
	})
}
