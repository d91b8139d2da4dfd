package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"heed/store"
)

// Error is what a caller is told: Message is public and says what to do, Cause is
// logged only.
type Error struct {
	Status  int    // HTTP status
	Code    string // stable, for programs
	Message string
	Param   string // the parameter or field at fault, if one
	Cause   error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func badRequest(param, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid", Message: message, Param: param}
}

func notFound(format string, args ...any) *Error {
	for i := range args {
		if s, ok := args[i].(string); ok {
			args[i] = clip(s, 60)
		}
	}
	return &Error{Status: http.StatusNotFound, Code: "not_found", Message: fmt.Sprintf(format, args...)}
}

func conflict(code, message string) *Error {
	return &Error{Status: http.StatusConflict, Code: code, Message: message}
}

// asError turns any error into what the caller is told.
func asError(err error) *Error {
	var e *Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &large):
		return &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "the request is larger than 1 MiB"}
	case errors.Is(err, store.ErrNotFound):
		return &Error{Status: http.StatusNotFound, Code: "not_found", Message: "there is no such thing in this app", Cause: err}
	case errors.Is(err, store.ErrCursor):
		return badRequest("after", "after is not the next of an earlier answer: leave it out to begin at the start")
	case errors.Is(err, store.ErrStale):
		return conflict("stale", "the proposal changed since it was shown: look at it again")
	case errors.Is(err, store.ErrConflict):
		return &Error{Status: http.StatusConflict, Code: "conflict", Message: "somebody else changed it first: look again", Cause: err}
	case errors.Is(err, store.ErrTooLarge):
		return &Error{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Message: "it is larger than the store takes", Cause: err}
	case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		return &Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "the store does not answer: try again", Cause: err}
	}
	return &Error{Status: http.StatusInternalServerError, Code: "internal", Message: "something broke inside Heed; its log says what", Cause: err}
}

// kind is the error's type in the OpenAI shape.
func (e *Error) kind() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "authentication_error"
	case e.Status == http.StatusForbidden:
		return "permission_error"
	case e.Status == http.StatusTooManyRequests:
		return "rate_limit_error"
	case e.Status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

// writeError answers an API call with the error in the OpenAI shape.
func writeError(w http.ResponseWriter, e *Error) {
	type body struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Code    string  `json:"code"`
		Param   *string `json:"param"`
	}
	b := body{Message: e.Message, Type: e.kind(), Code: e.Code}
	if e.Param != "" {
		b.Param = &e.Param
	}
	if e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	writeJSON(w, e.Status, map[string]body{"error": b})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // an injected block reads as it was sent
	if err := enc.Encode(v); err != nil {
		panic("BUG: encode answer: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that left needs no answer
}
