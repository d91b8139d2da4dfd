package gateway

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"heed/rules"
	"heed/store"
)

// memStore is a store.Store in memory, as far as a gateway uses one. It exists to
// fail on purpose: err, when set, is what every call returns.
type memStore struct {
	store.Store // nil: what the gateway does not use panics

	mu       sync.Mutex
	err      error
	seq      uint64
	changed  chan struct{}
	heads    map[string]rules.Head
	sets     map[string]*rules.Set
	rows     map[string]*store.Exchange
	feedback map[string]*store.Feedback
	gaps     int64
	forget   atomic.Bool // rows are not kept
	slow     chan bool   // rows are kept when it is closed; nil: at once
}

func newMemStore() *memStore {
	return &memStore{
		changed: make(chan struct{}), seq: 1, heads: map[string]rules.Head{}, sets: map[string]*rules.Set{},
		rows: map[string]*store.Exchange{}, feedback: map[string]*store.Feedback{},
	}
}

func (m *memStore) change() {
	m.seq++
	close(m.changed)
	m.changed = make(chan struct{})
}

// fail makes every call return err, nil to work again.
func (m *memStore) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// publish puts a set in force.
func (m *memStore) publish(set *rules.Set) rules.Head {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := rules.Head{Epoch: m.heads[set.App].Epoch + 1, Hash: set.Hash()}
	m.sets[h.Hash], m.heads[set.App] = set, h
	m.change()
	return h
}

func (m *memStore) Wait(ctx context.Context, after uint64) (uint64, error) {
	for {
		m.mu.Lock()
		seq, changed, err := m.seq, m.changed, m.err
		m.mu.Unlock()
		if err != nil {
			return 0, err
		}
		if seq > after {
			return seq, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (m *memStore) Head(_ context.Context, app string) (rules.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heads[app], m.err
}

func (m *memStore) Set(_ context.Context, app, hash string) (*rules.Set, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, m.err
	}
	if s := m.sets[hash]; s != nil && s.App == app {
		return s, nil
	}
	return nil, store.ErrNotFound
}

func (m *memStore) WriteExchanges(_ context.Context, xs []*store.Exchange) error {
	if m.slow != nil {
		<-m.slow
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	if m.forget.Load() {
		return nil
	}
	for _, x := range xs {
		m.rows[x.ID] = x
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}

func (m *memStore) NoteGap(_ context.Context, _ string, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.gaps += n
	}
	return m.err
}

func (m *memStore) AddFeedback(_ context.Context, f *store.Feedback) (*store.Feedback, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return nil, false, m.err
	}
	for _, old := range m.feedback {
		if f.Key != "" && old.Key == f.Key && old.App == f.App {
			if old.Digest != f.Digest {
				return nil, false, store.ErrReused
			}
			return old, false, nil
		}
	}
	c := *f
	c.ID = store.NewID()
	m.feedback[c.ID] = &c
	m.change()
	return &c, true, nil
}

func (m *memStore) FeedbackByID(_ context.Context, app, id string) (*store.Feedback, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.feedback[id]; f != nil && f.App == app {
		return f, m.err
	}
	return nil, errors.Join(m.err, store.ErrNotFound)
}

func (m *memStore) Retract(_ context.Context, app, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.feedback[id] == nil || m.feedback[id].App != app {
		return store.ErrNotFound
	}
	m.feedback[id].Retracted = m.feedback[id].Time
	return m.err
}

func (m *memStore) Exchange(_ context.Context, app, id string) (*store.Exchange, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x := m.rows[id]; x != nil && x.App == app {
		return x, m.err
	}
	return nil, errors.Join(m.err, store.ErrNotFound)
}

// outcomes are those of all rows, in no order.
func (m *memStore) outcomes() []store.Outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Outcome
	for _, x := range m.rows {
		out = append(out, x.Outcome)
	}
	return out
}

// row waits for the row of an exchange.
func (m *memStore) row(ctx context.Context, id string) (*store.Exchange, error) {
	for {
		m.mu.Lock()
		x, changed := m.rows[id], m.changed
		m.mu.Unlock()
		if x != nil {
			return x, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
