//go:build !linux

package redis

import "os"

// syncData makes what was written to f durable (on macOS by F_FULLFSYNC).
func syncData(f *os.File) error { return f.Sync() }
