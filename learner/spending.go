package learner

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// spending is what was asked of a model on one UTC day.
type spending struct {
	Day    string `json:"day"`
	Calls  int    `json:"calls"`
	Tokens int    `json:"tokens"`
}

// reserve takes one call of the day, and writes it down before it is made, so that
// a process that is killed again and again does not ask anew each time.
func (m *Model) reserve(now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.spent.Day == "" {
		if err := m.readSpent(); err != nil {
			return err
		}
	}
	if day := now.UTC().Format(time.DateOnly); day != m.spent.Day {
		m.spent = spending{Day: day}
	}
	if m.spent.Calls >= cmpOr(m.DailyCalls, 200) || m.spent.Tokens >= cmpOr(m.DailyTokens, 500_000) {
		return ErrSpent
	}
	m.spent.Calls++
	return m.writeSpent()
}

// spend counts the tokens of a call. If they cannot be written down they count in
// this process, and the next call is refused.
func (m *Model) spend(tokens int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spent.Tokens += tokens
	_ = m.writeSpent()
}

func (m *Model) readSpent() error {
	if m.SpentFile == "" {
		return nil
	}
	b, err := os.ReadFile(m.SpentFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &CallError{Reason: "the file of the day's spending cannot be read: " + err.Error(), Outage: true}
	}
	if json.Unmarshal(b, &m.spent) != nil || m.spent.Day == "" {
		m.spent = spending{}
		return &CallError{Reason: m.SpentFile + " is damaged: delete it, then the day's spending counts anew", Outage: true}
	}
	return nil
}

func (m *Model) writeSpent() error {
	if m.SpentFile == "" {
		return nil
	}
	b, err := json.Marshal(m.spent)
	if err == nil {
		err = replaceFile(m.SpentFile, b)
	}
	if err != nil {
		return &CallError{Reason: "the day's spending cannot be written down: " + err.Error(), Outage: true}
	}
	return nil
}

// replaceFile writes the file as a whole; whoever reads it sees the old one or the
// new one, also after a power cut.
func replaceFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
