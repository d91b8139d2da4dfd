package store

import "github.com/google/uuid"

// NewID returns a fresh UUIDv7: ids sort by the time they were made, to the
// millisecond.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
