package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"heed/store"
)

// call is one method that takes an app, tried on an app and an id.
type call struct {
	name  string
	write bool
	call  func(ctx context.Context) error
}

// errEmpty stands for a list without items, for cases that expect some or none.
var errEmpty = fmt.Errorf("%w: empty list", store.ErrNotFound)

func some(n int, err error) error {
	if err == nil && n == 0 {
		return errEmpty
	}
	return err
}

// calls lists every method of store.Store that takes an app. Writes change what
// has that id, or add to the app.
func calls(s store.Store, app, id string) []call {
	read := func(name string, fn func(ctx context.Context) error) call { return call{name, false, fn} }
	write := func(name string, fn func(ctx context.Context) error) call { return call{name, true, fn} }
	x := exchange("shop", 0)
	x.App = app
	return []call{
		read("Exchange", func(ctx context.Context) error { _, err := s.Exchange(ctx, app, id); return err }),
		read("ExchangeByResponse", func(ctx context.Context) error { _, err := s.ExchangeByResponse(ctx, app, id); return err }),
		read("Exchanges", func(ctx context.Context) error {
			xs, _, err := s.Exchanges(ctx, store.ExchangeFilter{App: app})
			return some(len(xs), err)
		}),
		read("Exchanges by text", func(ctx context.Context) error {
			xs, _, err := s.Exchanges(ctx, store.ExchangeFilter{App: app, Text: "where"})
			return some(len(xs), err)
		}),
		read("Gaps", func(ctx context.Context) error { n, err := s.Gaps(ctx, app); return some(int(n), err) }),
		read("FeedbackByID", func(ctx context.Context) error { _, err := s.FeedbackByID(ctx, app, id); return err }),
		read("Feedback", func(ctx context.Context) error {
			fs, _, err := s.Feedback(ctx, store.FeedbackFilter{App: app})
			return some(len(fs), err)
		}),
		read("Feedback by text", func(ctx context.Context) error {
			fs, _, err := s.Feedback(ctx, store.FeedbackFilter{App: app, Text: "brief"})
			return some(len(fs), err)
		}),
		read("Ratings", func(ctx context.Context) error { rs, err := s.Ratings(ctx, app); return some(len(rs), err) }),
		read("Proposal", func(ctx context.Context) error { _, err := s.Proposal(ctx, app, id); return err }),
		read("Proposals", func(ctx context.Context) error {
			ps, _, err := s.Proposals(ctx, store.ProposalFilter{App: app})
			return some(len(ps), err)
		}),
		read("Finding", func(ctx context.Context) error { _, err := s.Finding(ctx, app, id); return err }),
		read("Findings", func(ctx context.Context) error {
			fs, _, err := s.Findings(ctx, store.FindingFilter{App: app})
			return some(len(fs), err)
		}),
		read("Head", func(ctx context.Context) error { h, err := s.Head(ctx, app); return some(int(h.Epoch), err) }),
		read("Heads", func(ctx context.Context) error { hs, err := s.Heads(ctx, app, 5); return some(len(hs), err) }),
		read("Set", func(ctx context.Context) error {
			_, err := s.Set(ctx, app, set("shop", rule("shop", "a", 1)).Hash())
			return err
		}),
		read("RuleVersions", func(ctx context.Context) error { vs, err := s.RuleVersions(ctx, app, ""); return some(len(vs), err) }),
		read("Blob", func(ctx context.Context) error { _, err := s.Blob(ctx, app, wordsHash); return err }),
		read("Audits", func(ctx context.Context) error {
			as, _, err := s.Audits(ctx, store.AuditFilter{App: app})
			return some(len(as), err)
		}),
		read("VerifyAudit", func(ctx context.Context) error { n, err := s.VerifyAudit(ctx, app); return some(int(n), err) }),
		read("Pending", func(ctx context.Context) error {
			fs, err := s.Pending(ctx, app, leaseOf(ctx, s, app), 5)
			return some(len(fs), err)
		}),
		write("Lead", func(ctx context.Context) error { _, err := s.Lead(ctx, app, store.Lease{Worker: "eve"}); return err }),
		write("Yield", func(ctx context.Context) error { return s.Yield(ctx, app, store.Lease{Worker: "eve", Epoch: 1}) }),
		write("Retract", func(ctx context.Context) error { return s.Retract(ctx, app, id) }),
		write("Commit handled", func(ctx context.Context) error {
			return s.Commit(ctx, store.Changes{App: app, Handled: []store.Handled{{Feedback: id}}})
		}),
		write("Commit proposal", func(ctx context.Context) error {
			return s.Commit(ctx, store.Changes{App: app, Proposals: []*store.Proposal{proposal(app, id, 2)}})
		}),
		write("Commit finding", func(ctx context.Context) error {
			return s.Commit(ctx, store.Changes{App: app, Findings: []*store.Finding{finding(app, id, 2)}})
		}),
		write("Publish", func(ctx context.Context) error {
			_, err := s.Publish(ctx, app, 1, set(app), store.Audit{App: app, Actor: "eve", Action: "approve", Proposal: id, ProposalVersion: 1})
			return err
		}),
		write("WriteExchanges", func(ctx context.Context) error { return s.WriteExchanges(ctx, []*store.Exchange{x}) }),
		write("NoteGap", func(ctx context.Context) error { return s.NoteGap(ctx, app, 1) }),
		write("AddFeedback", func(ctx context.Context) error { _, _, err := s.AddFeedback(ctx, said(app, id, "ann", 1)); return err }),
		write("PutBlob", func(ctx context.Context) error { _, err := s.PutBlob(ctx, app, []byte("more")); return err }),
		write("AddAudit", func(ctx context.Context) error {
			return s.AddAudit(ctx, store.Audit{App: app, Actor: "eve", Action: "edit"})
		}),
	}
}

// leaseOf makes the caller the app's learner; the zero Lease when that fails.
func leaseOf(ctx context.Context, s store.Store, app string) store.Lease {
	l, _ := s.Lead(ctx, app, store.Lease{Worker: "w"}) // what it is for fails too
	return l
}

// wordsHash is the hash of the blob that everything keeps.
var wordsHash = func() string {
	sum := sha256.Sum256([]byte("words"))
	return hex.EncodeToString(sum[:])[:32]
}()

// everything gives the app one of each thing, all under the id.
func everything(t testing.TB, s store.Store, app, id string) {
	t.Helper()
	x := exchange(app, 0)
	x.ID, x.ResponseID = id, id
	ok(t, s.WriteExchanges(t.Context(), []*store.Exchange{x}))
	ok(t, s.NoteGap(t.Context(), app, 1))
	f := said(app, id, "ann", 1)
	f.ID, f.Key, f.Digest = id, "key", "digest-"+app
	add(t, s, f)
	commit(t, s, store.Changes{
		App: app, Handled: []store.Handled{{Feedback: id, RetryAt: at(0), Link: &store.Link{ExchangeID: id, Alias: "support"}}},
		Proposals: []*store.Proposal{proposal(app, id, 1)}, Findings: []*store.Finding{finding(app, id, 1)},
	})
	publish(t, s, app, 0, set(app, rule(app, "a", 1)))
	_, err := s.PutBlob(t.Context(), app, []byte("words"))
	ok(t, err)
}

// picture is everything that the app can be read to have, as JSON.
func picture(t testing.TB, s store.Store, app string) string {
	t.Helper()
	ctx := t.Context()
	var out []any
	keep := func(v any, err error) {
		t.Helper()
		ok(t, err)
		out = append(out, v)
	}
	keep(list(t, s, store.ExchangeFilter{App: app, Bodies: true}), nil)
	fs, _, err := s.Feedback(ctx, store.FeedbackFilter{App: app})
	keep(fs, err)
	ps, _, err := s.Proposals(ctx, store.ProposalFilter{App: app})
	keep(ps, err)
	gs, _, err := s.Findings(ctx, store.FindingFilter{App: app})
	keep(gs, err)
	as, _, err := s.Audits(ctx, store.AuditFilter{App: app})
	keep(as, err)
	n, err := s.Gaps(ctx, app)
	keep(n, err)
	rs, err := s.Ratings(ctx, app)
	keep(rs, err)
	hs, err := s.Heads(ctx, app, 100)
	keep(hs, err)
	vs, err := s.RuleVersions(ctx, app, "")
	keep(vs, err)
	b, err := json.MarshalIndent(out, "", " ")
	ok(t, err)
	return string(b)
}
