// Package store is the record: exchanges, feedback, findings, proposals, rule
// sets and the audit trail. It is all that gateway, learner and admin share.
//
// Start with [Store], the contract that every backend keeps (storetest.Run holds
// one test per sentence of it), and [Recorder], the bounded queue through which
// the gateway logs without waiting. [Approve] is how a proposal becomes a rule in
// force, for people and for the learner's policy alike.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"heed/rules"
)

// Errors that callers may test for. Backends wrap them with what was asked.
var (
	ErrNotFound  = errors.New("not found")                              // no such thing in this app
	ErrConflict  = errors.New("somebody else changed it first")         // epoch, version or state moved; read again
	ErrReused    = errors.New("id was used with another body")          // idempotency key, other content
	ErrCorrupt   = errors.New("stored data is damaged")                 // the file or value was left as it is
	ErrClosed    = errors.New("store is closed")                        //
	ErrUnknown   = errors.New("store was written by a newer version")   // schema from the future
	ErrLocked    = errors.New("store is in use by another process")     //
	ErrFull      = errors.New("store has no room")                      // disk or memory of the backend is full
	ErrRetracted = errors.New("feedback was retracted by its author")   //
	ErrTooLarge  = errors.New("larger than the store's documented cap") //
	ErrCursor    = errors.New("not a cursor that this store gave")      // After of a filter
	ErrFenced    = errors.New("another learner leads the app by now")   // the lease is not the app's any more
	ErrDown      = errors.New("store does not answer")                  // the server of a backend; it may later
)

// SkippedError is what WriteExchanges returns when it wrote all but some
// exchanges that cannot be encoded.
type SkippedError struct {
	IDs []string // of the exchanges that were left out; "" for one without an id
	Err error    // why, joined
}

func (e *SkippedError) Error() string {
	return fmt.Sprintf("%d exchanges skipped: %v", len(e.IDs), e.Err)
}

// Limits of what is kept. A backend cuts bodies and refuses the rest with
// ErrTooLarge.
const (
	MaxBodyBytes    = 1 << 20 // a request or response body of an exchange (cut)
	MaxQueryBytes   = 1500    // the matched query (cut)
	MaxCopyBytes    = 4 << 10 // feedback's copies of query and answer (cut)
	MaxTextBytes    = 4 << 10 // a comment, correction or applies_when (refused)
	MaxPage         = 1000    // items of one page; 0 asks for DefaultPage
	DefaultPage     = 50
	MaxBlobBytes    = 64 << 20 // a blob of word statistics (refused)
	MaxBatchRecords = 1000     // exchanges of one Write (more is written in parts)
	MaxBatchBytes   = 4 << 20  // their bytes, likewise; a backend may take more at once
)

// Store is the record of all apps. Its methods are safe for concurrent use. What
// they return belongs to the caller; what they are given is not kept or changed
// after they return. Every method that takes an app sees and changes that app's
// data only. All respect ctx: a cancelled call returns its error, and a change
// then either happened as a whole or not at all. Times are kept in UTC to the
// millisecond. An unknown id, or one of another app, is ErrNotFound. An empty app
// is refused. A list holds at most MaxPage items, DefaultPage when Limit is 0, and
// following its cursor visits every item once. A cursor that the store did not
// give is refused.
type Store interface {
	ExchangeStore
	FeedbackStore
	LearnerStore
	RuleStore

	// Wait blocks until something changed after the sequence number seen (0 at
	// first) and returns the newest number, or ctx's error. It is level-triggered:
	// a change between two calls is not missed; several may be reported as one.
	// A change is any commit but that of exchanges: feedback, retraction, learner
	// commits, proposals, published heads, blobs. It wakes within a second also
	// when another process made the change.
	Wait(ctx context.Context, after uint64) (uint64, error)

	// Apps lists every app that has any data, sorted.
	Apps(ctx context.Context) ([]string, error)

	// Health returns nil if a change could be committed now.
	Health(ctx context.Context) error

	// Close flushes what was written and releases the files; later calls return
	// ErrClosed.
	io.Closer
}

// ExchangeStore keeps the log of exchanges.
type ExchangeStore interface {
	// WriteExchanges adds the exchanges of each app as a whole (MaxBatchRecords, or
	// MaxBatchBytes, at a time); of a batch of several apps some may be added and
	// others not. An id that is there already is left as it is, so a batch can be
	// written again after an error. Up to one second of it may be lost by kill -9 or
	// power loss; a gap found at the next start is recorded (Gaps). One exchange that
	// cannot be encoded does not stop the others: it is skipped and named in the
	// error, a *SkippedError. Bodies, query and answer are cut to their limits.
	WriteExchanges(ctx context.Context, xs []*Exchange) error

	// Exchange returns one exchange with its bodies.
	Exchange(ctx context.Context, app, id string) (*Exchange, error)

	// ExchangeByResponse returns the newest exchange whose upstream's answer had
	// that id (chatcmpl-…, resp_…, msg_…).
	ExchangeByResponse(ctx context.Context, app, responseID string) (*Exchange, error)

	// Exchanges lists exchanges newest first, by arrival, then id, without bodies
	// unless the filter asks for them. next is "" at the end, else the cursor of
	// the next page. All fields of the filter that are set must hold.
	Exchanges(ctx context.Context, f ExchangeFilter) (xs []*Exchange, next string, err error)

	// Gaps tells how many exchanges are known to be missing from the log.
	Gaps(ctx context.Context, app string) (int64, error)

	// NoteGap adds n exchanges of the app that were dropped before they reached
	// the store.
	NoteGap(ctx context.Context, app string, n int64) error
}

// FeedbackStore keeps what people said. Feedback is never edited.
type FeedbackStore interface {
	// AddFeedback commits f durably (fsync) before it returns, gives it a fresh
	// id when it has none, and returns the stored record. With f.Key set, the same
	// key and Digest again returns the first record and created false; another
	// Digest is ErrReused, and so is an ID that is there already. The exchange need
	// not exist yet. Later feedback of the same person on the same exchange sets
	// SupersededBy on the earlier one; both are kept. The same person is the same
	// User, or no User with the same Source: whoever holds an exchange's token
	// speaks for one person. A text above MaxTextBytes is ErrTooLarge. A record
	// without a Time gets the present.
	AddFeedback(ctx context.Context, f *Feedback) (stored *Feedback, created bool, err error)

	// FeedbackByID returns one record.
	FeedbackByID(ctx context.Context, app, id string) (*Feedback, error)

	// Feedback lists records, newest first. All fields of the filter that are set
	// must hold; retracted and superseded records are listed too.
	Feedback(ctx context.Context, f FeedbackFilter) (fs []*Feedback, next string, err error)

	// Retract marks the record as taken back, durably, and makes it Pending again
	// so that the learner re-derives what rested on it. Again is no error.
	Retract(ctx context.Context, app, id string) error

	// Ratings sums the linked, unretracted, unsuperseded ratings per alias, step
	// and target: above 0 counts as good, below as bad.
	Ratings(ctx context.Context, app string) ([]TargetRating, error)
}

// LearnerStore is the learner's work and what came of it.
type LearnerStore interface {
	// Lead makes a worker the app's one learner for LeaseTime and names its lease.
	// Without an Epoch it asks for the lease, and gets one whose Epoch is one above the
	// last one's, also after a restart of the store, if nobody else has it or the
	// worker itself had it before it was started again. While another worker has it,
	// the answer is the zero Lease. With an Epoch it renews that lease; the answer is
	// the zero Lease when that is not the app's any more. A lease that is not renewed
	// is over after LeaseTime, by the store's clock, and goes to the next worker that
	// asks; until one does, it is the app's.
	Lead(ctx context.Context, app string, l Lease) (Lease, error)

	// Yield gives the lease back, so that the next worker that asks has it at once. One
	// that is not the app's any more is left as it is, and no error.
	Yield(ctx context.Context, app string, l Lease) error

	// Pending returns up to limit feedback records of the app that the learner has not
	// handled yet and that are due, oldest first. They are for the app's one learner: a
	// lease that is not the app's, or not any more, is ErrFenced. A record that was
	// given out and then neither handled nor put off has Given when it is given out
	// again, whoever had it, also after a restart.
	Pending(ctx context.Context, app string, l Lease, limit int) ([]*Feedback, error)

	// Commit makes the learner's changes in one transaction: handled feedback,
	// proposals and findings all or nothing. With a Lease that is not the app's any
	// more nothing changes, and it is ErrFenced; people commit without one. A proposal
	// or finding whose Version is not the stored one plus one (1 for a new one) is
	// ErrConflict; read again and decide anew. Unknown handled feedback is ErrNotFound.
	// Feedback that was retracted after Pending gave it
	// out stays pending. Tries is kept with the record, durably; of one that is Begun
	// only Tries change, and it stays given out. A record put Aside is not Pending and
	// has the Note as the reason, until it is put off to a time. Retracting it makes it
	// pending with no Tries. A nil Link keeps the link that was there; a link makes the
	// record one on its exchange, also for SupersededBy.
	Commit(ctx context.Context, c Changes) error

	// Proposal returns one proposal.
	Proposal(ctx context.Context, app, id string) (*Proposal, error)

	// Proposals lists proposals, newest change first.
	Proposals(ctx context.Context, f ProposalFilter) (ps []*Proposal, next string, err error)

	// Finding returns one finding.
	Finding(ctx context.Context, app, id string) (*Finding, error)

	// Findings lists findings, newest change first.
	Findings(ctx context.Context, f FindingFilter) (fs []*Finding, next string, err error)
}

// RuleStore is what is in force, was in force, and who decided it.
type RuleStore interface {
	// Head is what the app has in force; the zero Head when nothing was published.
	Head(ctx context.Context, app string) (rules.Head, error)

	// Heads lists the app's heads, newest first.
	Heads(ctx context.Context, app string, limit int) ([]HeadRecord, error)

	// Set returns the set of that hash, checked against it (ErrCorrupt).
	Set(ctx context.Context, app, hash string) (*rules.Set, error)

	// Publish makes set the app's head if the head's epoch is still base, in one
	// durable step with the audit entry, the rule versions that changed, and (with
	// a.Proposal) the proposal, which must still be open or snoozed at
	// a.ProposalVersion and becomes approved, one version on, decided by a.Actor.
	// It returns ErrConflict if somebody else was first. With an a.Lease that is not
	// the app's any more nothing changes, and it is ErrFenced. The new
	// epoch is base+1, also when the set is one that was in force before. An
	// invalid set is refused.
	Publish(ctx context.Context, app string, base rules.Epoch, set *rules.Set, a Audit) (rules.Head, error)

	// RuleVersions lists every version of the app's rules that was ever in force,
	// each in its newest state, by id, newest version first; with id only that
	// rule's. A version that a newer one replaced is superseded; a newer one that a
	// roll-back replaced is paused.
	RuleVersions(ctx context.Context, app, id string) ([]rules.Rule, error)

	// PutBlob keeps word statistics under their hash (hex SHA-256, 32 digits) and
	// returns it; above MaxBlobBytes is ErrTooLarge.
	PutBlob(ctx context.Context, app string, b []byte) (hash string, err error)

	// Blob returns what PutBlob kept, checked against the hash (ErrCorrupt).
	Blob(ctx context.Context, app, hash string) ([]byte, error)

	// AddAudit appends an entry for a change that is no Publish; Number, Previous
	// and Hash are the store's.
	AddAudit(ctx context.Context, a Audit) error

	// Audits lists entries newest first. Each entry's Hash covers the one before.
	Audits(ctx context.Context, f AuditFilter) (as []Audit, next string, err error)

	// VerifyAudit walks the chain and returns the number of the first entry that
	// does not fit, or 0.
	VerifyAudit(ctx context.Context, app string) (first int64, err error)
}
