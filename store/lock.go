package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// errHeld is what tryLock returns when another process has the lock.
var errHeld = errors.New("held")

// LockFolder takes the lock that one process holds on its store's folder for as
// long as the store is open; path is a file in it. The kernel frees the lock
// however the process ends. The file holds the owner's process id for people to
// read. It returns ErrLocked when another process has it, and does not wait.
func LockFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open store lock: %w", err)
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if errors.Is(err, errHeld) {
			pid, _ := io.ReadAll(io.LimitReader(f, 32))
			return nil, fmt.Errorf("%s: %w: process %s has it, and each needs a store.path of its own", path, ErrLocked, strings.TrimSpace(string(pid)))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if f.Truncate(0) == nil {
		// Without the number the lock holds all the same: a full disk must not keep
		// Heed from starting.
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return f, nil
}

// UnlockFolder frees the lock at once, also when a child that is just being
// started holds a copy of the descriptor.
func UnlockFolder(f *os.File) error { return errors.Join(unlock(f), f.Close()) }
