package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"heed/store"
)

// AddFeedback implements store.Store. The record is in the local journal before
// it returns. While the server answers, it decides about key and id; while it
// does not (AddFeedback waits Options.Timeout for it, and not at all once it is
// known to be gone), a record whose key this process does not know is
// acknowledged and delivered later. So two processes can acknowledge the same key
// during an outage: with the same digest the first that is delivered stands and
// the other's id leads to it; with another digest both are kept, the second
// without its key's protection.
func (s *Store) AddFeedback(ctx context.Context, f *store.Feedback) (*store.Feedback, bool, error) {
	if err := s.check(ctx, f.App); err != nil {
		return nil, false, err
	}
	it, err := newAddition(f, s.erased.of(f.App).number)
	if err != nil {
		return nil, false, err
	}
	first, err := s.admit(it)
	if err != nil {
		return nil, false, err
	}
	if first != nil {
		return s.repeat(ctx, f, first)
	}
	if err := s.keep(ctx, it); err != nil {
		return nil, false, err
	}
	verdict := s.out.await(ctx, it, s.opt.Timeout)
	if ctx.Err() != nil && verdict == nil {
		return nil, false, ctx.Err()
	}
	s.changes.kick()
	stored := *it.f
	switch {
	case verdict == nil:
		s.metrics.journaled.Inc()
		return clone(&stored), true, nil
	case verdict[0] == "reused":
		return nil, false, it.f.Reused()
	case verdict[0] == "first":
		old, err := s.FeedbackByID(ctx, f.App, verdict[1])
		return old, false, err
	}
	return clone(&stored), true, nil
}

// newAddition makes the journal's item; it shares nothing with f.
func newAddition(f *store.Feedback, erased uint64) (*item, error) {
	stored, doc, err := f.Kept()
	if err != nil {
		return nil, err
	}
	return newItem(line{Token: store.NewID(), App: stored.App, Feedback: doc, Erased: erased}, stored)
}

func clone(f *store.Feedback) *store.Feedback {
	c := *f
	c.Labels = slices.Clone(f.Labels)
	if f.Rating != nil {
		r := *f.Rating
		c.Rating = &r
	}
	if f.Answers != nil {
		c.Answers = make(map[string]json.RawMessage, len(f.Answers))
		for k, v := range f.Answers {
			c.Answers[k] = slices.Clone(v)
		}
	}
	return &c
}

// admit reserves the item's id and key among the undelivered ones. It returns the
// item that has the key already.
func (s *Store) admit(it *item) (first *item, err error) {
	o := s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if it.f.Key != "" {
		if old := o.byKey[[2]string{it.line.App, it.f.Key}]; old != nil {
			if old.f.Digest == it.f.Digest {
				return old, nil
			}
			return nil, it.f.Reused()
		}
	}
	if o.byID[[2]string{it.line.App, it.f.ID}] != nil {
		return nil, fmt.Errorf("feedback %q: %w", it.f.ID, store.ErrReused)
	}
	if o.bytes+int64(len(it.rec)) > s.opt.JournalBytes {
		return nil, fmt.Errorf("feedback: %w: the journal holds %d bytes that redis did not take yet", store.ErrFull, o.bytes)
	}
	o.reserve(it)
	return nil, nil
}

// keep puts the item on disk and queues it. When ctx ends first both happen all
// the same, or neither.
func (s *Store) keep(ctx context.Context, it *item) error {
	settle := func(err error) {
		s.out.mu.Lock()
		defer s.out.mu.Unlock()
		if it.syncErr = err; err != nil {
			s.out.drop(it)
		} else {
			s.out.queue(it)
		}
		close(it.synced)
	}
	if err := s.journal.add(ctx, it.rec, settle); err != nil {
		settle(err)
		return err
	}
	select {
	case <-it.synced:
		return it.syncErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// repeat answers the same key again while the first record is undelivered.
func (s *Store) repeat(ctx context.Context, f *store.Feedback, first *item) (*store.Feedback, bool, error) {
	select {
	case <-first.synced:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	if err := first.syncErr; errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return s.AddFeedback(ctx, f) // the first caller left before it was taken: now this one is the first
	} else if err != nil {
		return nil, false, err
	}
	verdict := s.out.await(ctx, first, s.opt.Timeout)
	switch {
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case verdict != nil && verdict[0] == "reused":
		return nil, false, first.f.Reused()
	case verdict != nil && verdict[0] == "first":
		old, err := s.FeedbackByID(ctx, first.line.App, verdict[1])
		return old, false, err
	}
	return clone(first.f), false, nil
}

// Retract implements store.Store. Feedback that is undelivered is retracted
// through the journal, after it; any other needs the server.
func (s *Store) Retract(ctx context.Context, app, id string) error {
	if err := s.check(ctx, app); err != nil {
		return err
	}
	s.out.mu.Lock()
	waiting := s.out.byID[[2]string{app, id}]
	s.out.mu.Unlock()
	if waiting != nil {
		it, err := newItem(line{Token: store.NewID(), App: app, Retract: id}, nil)
		if err != nil {
			return err
		}
		s.out.mu.Lock()
		s.out.reserve(it)
		s.out.mu.Unlock()
		if err := s.keep(ctx, it); err != nil {
			return err
		}
		s.out.await(ctx, it, s.opt.Timeout)
		return ctx.Err()
	}
	reply, err := s.run(ctx, "retract", retractScript, app, struct {
		arguments
		ID string `json:"id"`
	}{s.arguments(app), id})
	if err != nil {
		return err
	}
	if reply[0] == "none" {
		return fmt.Errorf("feedback %q: %w", id, store.ErrNotFound)
	}
	s.changes.kick()
	return nil
}
